#include "metal/disk_cache.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <vector>

namespace ftrans::metal {

namespace fs = std::filesystem;

namespace {

/// None if it cannot be read.
std::optional<std::string> contents_hash(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  char block[1 << 14];
  while (file.read(block, sizeof block), file.gcount() > 0)
    text.append(block, static_cast<size_t>(file.gcount()));
  if (!file.eof()) return std::nullopt;
  return Hash().add(text).digits();
}

template <class F>
void for_each_file(const fs::path& folder, F f) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) f(*it);
}

}  // namespace

Hash& Hash::add(const std::string& part) {
  const uint64_t size = part.size();
  add_bytes(reinterpret_cast<const char*>(&size), sizeof size);
  add_bytes(part.data(), part.size());
  return *this;
}

void Hash::add_bytes(const char* bytes, size_t count) {
  constexpr unsigned __int128 kPrime = (static_cast<unsigned __int128>(1) << 88) | 0x13b;
  for (size_t i = 0; i < count; ++i) value_ = (value_ ^ static_cast<unsigned char>(bytes[i])) * kPrime;
}

std::string Hash::digits() const {
  std::string text(32, '0');
  for (size_t i = 0; i < text.size(); ++i)
    text[i] = "0123456789abcdef"[static_cast<unsigned>(value_ >> (124 - 4 * i)) & 15];
  return text;
}

fs::path DiskCache::default_folder() {
  if (const char* chosen = std::getenv("FTRANS_CACHE"))
    return *chosen ? fs::path(chosen) / "metal" : fs::path();
  const char* home = std::getenv("HOME");
#if defined(__APPLE__)
  if (home == nullptr || *home == '\0') return {};
  return fs::path(home) / "Library" / "Caches" / "ftrans" / "metal";
#else
  const char* caches = std::getenv("XDG_CACHE_HOME");
  if (caches != nullptr && *caches == '/') return fs::path(caches) / "ftrans" / "metal";
  if (home == nullptr || *home == '\0') return {};
  return fs::path(home) / ".cache" / "ftrans" / "metal";
#endif
}

std::optional<fs::path> DiskCache::find(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  std::optional<fs::path> found;
  for_each_file(folder_, [&](const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    if (found || name.rfind(key + "-", 0) != 0) return;
    std::error_code ignored;
    if (name == key + "-" + contents_hash(entry.path()).value_or("")) {
      found = entry.path();
      fs::last_write_time(entry.path(), fs::file_time_type::clock::now(), ignored);
    } else {
      fs::remove(entry.path(), ignored);
    }
  });
  return found;
}

void DiskCache::add(const std::string& key, const fs::path& file) const {
  if (folder_.empty()) return;
  static std::atomic<uint64_t> counter{0};
  std::error_code error;
  fs::create_directories(folder_, error);
  // Renaming puts the whole file there at once, whoever else adds it at the same time.
  const std::string unique = std::to_string(getpid()) + "-" + std::to_string(counter.fetch_add(1));
  const fs::path copy = folder_ / ("new-" + unique);
  if (!fs::copy_file(file, copy, error)) return;
  const std::optional<std::string> contents = contents_hash(copy);
  if (contents) fs::rename(copy, folder_ / (key + "-" + *contents), error);
  if (!contents || error) fs::remove(copy, error);
  make_room();
}

void DiskCache::make_room() const {
  struct File {
    fs::file_time_type used;
    uint64_t size;
    fs::path path;
  };
  std::vector<File> files;
  uint64_t total = 0;
  for_each_file(folder_, [&](const fs::directory_entry& entry) {
    std::error_code error;
    const uint64_t size = entry.file_size(error);
    if (error) return;  // removed meanwhile
    const fs::file_time_type used = entry.last_write_time(error);
    if (error) return;
    files.push_back({used, size, entry.path()});
    total += size;
  });
  if (total <= most_bytes_) return;
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.used < b.used; });
  for (const File& file : files) {
    if (total <= most_bytes_ / 4 * 3) break;
    std::error_code ignored;
    fs::remove(file.path, ignored);
    total -= file.size;
  }
}

}  // namespace ftrans::metal
