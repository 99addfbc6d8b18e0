// The cache of compiled kernels: what it gives back is whole, and it stays bounded.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "checking.h"
#include "metal/disk_cache.h"
#include "metal/host/device.h"

using namespace ftrans::metal;
namespace fs = std::filesystem;

namespace {

/// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "ftrans-cache-XXXXXX").string();
    if (!mkdtemp(name.data())) std::abort();
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

fs::path write(const fs::path& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary) << contents;
  return path;
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

void hashes_tell_parts_apart() {
  CHECK(Hash().add("a").add("bc").digits() != Hash().add("ab").add("c").digits());
  CHECK(Hash().add("a").digits() == Hash().add("a").digits());
  CHECK(Hash().digits().size() == 32);
}

void files_come_back() {
  const Folder folder;
  const DiskCache cache(folder.path / "not" / "there" / "yet");
  const fs::path file = write(folder.path / "file", "machine code");
  CHECK(!cache.find("key"));
  cache.add("key", file);
  cache.add("key", file);
  CHECK(cache.find("key") && read(*cache.find("key")) == "machine code");
  CHECK(!cache.find("ke") && !cache.find("other"));
  CHECK(files_of(folder.path / "not" / "there" / "yet").size() == 1);
}

void damaged_files_do_not() {
  const Folder folder;
  const DiskCache cache(folder.path / "cache");
  cache.add("key", write(folder.path / "file", "machine code"));
  write(*cache.find("key"), "machine");
  CHECK(!cache.find("key"));
  CHECK(files_of(folder.path / "cache").empty());
  fs::create_directory(folder.path / "cache" / "key-folder");
  CHECK(!cache.find("key"));
}

void what_was_not_used_for_longest_goes() {
  const Folder folder;
  const DiskCache cache(folder.path / "cache", 1000);
  const fs::path file = write(folder.path / "file", std::string(300, 'x'));
  for (const char* key : {"first", "second", "third"}) {
    cache.add(key, file);
    for (const fs::path& each : files_of(folder.path / "cache"))
      fs::last_write_time(each, fs::last_write_time(each) - std::chrono::seconds(10));
  }
  CHECK(cache.find("first"));  // used now
  cache.add("fourth", file);
  CHECK(cache.find("first") && !cache.find("second") && !cache.find("third") && cache.find("fourth"));
}

void no_folder_is_no_cache() {
  const Folder folder;
  const fs::path file = write(folder.path / "file", "x");
  const DiskCache nothing({}), below_a_file(file / "cache");
  for (const DiskCache* cache : {&nothing, &below_a_file}) {
    cache->add("key", file);
    CHECK(!cache->find("key"));
  }
}

void many_may_use_it_at_once() {
  const Folder folder;
  const DiskCache cache(folder.path / "cache", 4000);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) {
        const std::string key = "key" + std::to_string(i % 5);
        const std::string contents(200, static_cast<char>('a' + i % 5));
        const fs::path file = write(folder.path / ("file" + std::to_string(t)), contents);
        cache.add(key, file);
        const auto found = cache.find(key);
        if (found && read(*found) != contents && fs::exists(*found)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  for (const fs::path& file : files_of(folder.path / "cache"))
    CHECK(file.filename().string().rfind("key", 0) == 0);
}

/// The number of times that the machine's compiler ran.
uint64_t compiler_runs(const std::string& body) {
  const uint64_t before = host::counters().compiler_runs;
  const std::string source =
      "#include <metal_stdlib>\nkernel void f(device float* a [[buffer(0)]]) { " + body + " }\n";
  CHECK(device()->compile(source)->function("f"));
  return host::counters().compiler_runs - before;
}

void kernels_are_compiled_once() {
  const Folder folder;
  setenv("FTRANS_CACHE", folder.path.c_str(), 1);
  CHECK(DiskCache::default_folder() == folder.path / "metal");
  CHECK(compiler_runs("a[0] = 1.0f;") == 1);
  CHECK(compiler_runs("a[0] = 1.0f;") == 0);
  CHECK(compiler_runs("a[0] = 2.0f;") == 1);
  host::options().checked = false;
  CHECK(compiler_runs("a[0] = 1.0f;") == 1);  // with other options
  host::options().checked = true;
  for (const fs::path& file : files_of(folder.path / "metal")) fs::resize_file(file, fs::file_size(file) / 2);
  CHECK(compiler_runs("a[0] = 1.0f;") == 1);
  CHECK(compiler_runs("a[0] = 1.0f;") == 0);
  setenv("FTRANS_CACHE", "", 1);
  CHECK(compiler_runs("a[0] = 1.0f;") == 1);
  unsetenv("FTRANS_CACHE");
  setenv("XDG_CACHE_HOME", folder.path.c_str(), 1);
  CHECK(DiskCache::default_folder() == folder.path / "ftrans" / "metal");
}

void sources_are_dumped() {
  const Folder folder;
  setenv("FTRANS_METAL_DUMP", (folder.path / "dump").c_str(), 1);
  setenv("FTRANS_CACHE", "", 1);
  compiler_runs("a[0] = 3.0f;");
  unsetenv("FTRANS_METAL_DUMP");
  const std::vector<fs::path> files = files_of(folder.path / "dump");
  CHECK(files.size() == 1 && files[0].extension() == ".metal");
  CHECK(files.size() == 1 && read(files[0]).find("a[0] = 3.0f;") != std::string::npos);
}

void captures_show_commands() {
  const Folder folder;
  const std::string path = (folder.path / "capture.txt").string();
  const auto is_refused = [](auto action) {
    try {
      action();
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  };
  CHECK(is_refused([] { device()->stop_capture(); }));
  device()->start_capture(path);
  CHECK(is_refused([&] { device()->start_capture(path + "2"); }));
  const ftrans::Ref<Library> library = device()->compile(
      "#include <metal_stdlib>\nkernel void f(device float* a [[buffer(0)]]) { a[0] = 4.0f; }\n");
  const ftrans::Ref<CommandBuffer> buffer = device()->new_queue()->command_buffer();
  const ftrans::Ref<SharedEvent> event = device()->new_event();
  buffer->set_function(*library->function("f"));
  buffer->set_memory(0, *device()->allocate(4), 0);
  buffer->dispatch({2, 1, 1}, {3, 1, 1});
  buffer->signal(*event, 7);
  buffer->commit([](const Outcome&) {});
  event->wait(7);
  device()->stop_capture();
  CHECK(read(path) == "f 2×1×1 threadgroups of 3×1×1\nsignal 7\n");
  CHECK(is_refused([&] { device()->start_capture(path); }));
}

}  // namespace

int main() {
  setenv("FTRANS_METAL", "host", 1);
  hashes_tell_parts_apart();
  files_come_back();
  damaged_files_do_not();
  what_was_not_used_for_longest_goes();
  no_folder_is_no_cache();
  many_may_use_it_at_once();
  kernels_are_compiled_once();
  sources_are_dumped();
  captures_show_commands();
  return ftrans::checking::outcome();
}
