#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace ftrans::metal {

/// 128 bits of FNV-1a as hexadecimal digits.
class Hash {
 public:
  /// Parts are told apart: ("a", "bc") is not ("ab", "c").
  Hash& add(const std::string& part);
  std::string digits() const;

 private:
  void add_bytes(const char* bytes, size_t count);
  unsigned __int128 value_ =
      (static_cast<unsigned __int128>(0x6c62272e07bb0142u) << 64) | 0x62b821756295c58du;
};

/// Files under the hash of everything that they were made from, in a folder that processes share. A file's
/// name also has the hash of its contents, so a damaged one is not found. Nothing here throws: a cache that
/// cannot be used is an empty one.
class DiskCache {
 public:
  static constexpr uint64_t kMostBytes = uint64_t{256} << 20;

  /// An empty path is no cache.
  explicit DiskCache(std::filesystem::path folder, uint64_t most_bytes = kMostBytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}

  /// The folder for compiled kernels: `metal` in FTRANS_CACHE (empty: nothing is kept), or where the system
  /// keeps caches of users (XDG_CACHE_HOME/ftrans or ~/.cache/ftrans, on macOS ~/Library/Caches/ftrans).
  static std::filesystem::path default_folder();

  /// A whole file of this key; it counts as used now. Another process may remove it at any time.
  std::optional<std::filesystem::path> find(const std::string& key) const;

  /// Takes a copy of `file`. Removes what has not been used for longest if there is too much.
  void add(const std::string& key, const std::filesystem::path& file) const;

 private:
  void make_room() const;

  std::filesystem::path folder_;
  uint64_t most_bytes_;
};

}  // namespace ftrans::metal
