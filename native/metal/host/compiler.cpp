#include "metal/host/compiler.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "metal/host/device.h"
#include "metal/host/headers.h"
#include "metal/source_text.h"

extern char** environ;

namespace ftrans::metal::host {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A folder of this process for the headers and what is compiled, removed when the process ends.
const fs::path& work_folder() {
  static const fs::path* folder = [] {
    std::string name = (fs::temp_directory_path() / "ftrans-metal-XXXXXX").string();
    if (!mkdtemp(name.data()))
      throw std::runtime_error("the host Metal device cannot make a folder at " + name);
    for (const Header& header : kHeaders) std::ofstream(fs::path(name) / header.name) << header.text;
    static const fs::path made = name;
    std::atexit([] {
      std::error_code ignored;
      fs::remove_all(made, ignored);
    });
    return &made;
  }();
  return *folder;
}

/// Runs a program and returns its exit status; what it prints goes to `output`. A status below 0 if there is
/// no such program.
int run_program(std::vector<std::string> words, const fs::path& output) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  // A sanitizer that was preloaded into this process is not for the compiler; its messages are in plain
  // English.
  static char plain[] = "LC_ALL=C";
  std::vector<char*> environment = {plain};
  for (char** variable = environ; *variable; ++variable) {
    if (std::string(*variable).rfind("LD_PRELOAD=", 0) != 0) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  pid_t child = 0;
  const int failed =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed) return -1;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

const std::string& compiler() {
  static const std::string* found = [] {
    std::vector<std::string> candidates;
    if (const char* chosen = std::getenv("CXX")) candidates.push_back(chosen);
    for (const char* name : {"c++", "g++", "clang++"}) candidates.push_back(name);
    for (const std::string& name : candidates) {
      if (run_program({name, "--version"}, work_folder() / "compiler.txt") == 0) return new std::string(name);
    }
    throw CompileError("the host Metal device needs a C++ compiler: none of CXX, c++, g++, clang++ runs");
  }();
  return *found;
}

/// Kernels themselves have no exceptions: those of the host device pass through them by their unwind tables.
std::vector<std::string> compiler_options(bool checked) {
  std::vector<std::string> options = {"-std=c++20",
                                      "-O1",
                                      "-fPIC",
                                      "-w",
                                      "-c",
                                      "-fvisibility=hidden",
                                      "-fno-math-errno",
                                      "-ffp-contract=off",
                                      "-fno-exceptions",
                                      "-fasynchronous-unwind-tables"};
  if (checked) options.insert(options.end(), {"-fsanitize=thread", "-fsanitize-coverage=trace-pc"});
  return options;
}

/// Everything that the machine code of a kernel depends on.
std::string cache_key(const std::string& text, const std::vector<std::string>& options) {
  static const Hash* fixed = [] {
    auto* hash = new Hash;
    hash->add(compiler()).add(read_file(work_folder() / "compiler.txt"));
    for (const Header& header : kHeaders) hash->add(header.text);
    return hash;
  }();
  Hash hash = *fixed;
  for (const std::string& option : options) hash.add(option);
  return hash.add(text).digits();
}

/// Compiles C++ text into a shared library. Throws CompileError, which shows the MSL.
fs::path build(const std::string& text, const std::vector<std::string>& options, const std::string& msl) {
  static std::atomic<int> counter{0};
  const std::string base = (work_folder() / ("kernel" + std::to_string(counter++))).string();
  const std::string cpp = base + ".cpp", object = base + ".o", log = base + ".log", library = base + ".so";
  std::ofstream(cpp) << text;
  std::vector<std::string> words = {compiler(), "-I" + work_folder().string(), cpp, "-o", object};
  words.insert(words.end(), options.begin(), options.end());
  int status = run_program(words, log);
  if (status == 0) status = run_program({compiler(), "-shared", object, "-o", library, "-lm"}, log);
  if (status != 0) throw CompileError(read_file(log) + "\n" + with_line_numbers(msl));
  for (const std::string& used : {cpp, object, log}) fs::remove(used);
  return library;
}

/// Loads the shared library of a prepared source, from the cache if it is there.
void* load(const HostSource& source, const std::string& msl, bool checked, const DiskCache& cache) {
  std::string text =
      "#line 1 \"kernel.metal\"\n" + source.text + "\n#include \"metal_threads.h\"\n" + source.entry_points();
  if (checked) text = "#include \"checked_access.h\"\n" + text;
  const std::vector<std::string> options = compiler_options(checked);
  const std::string key = cache_key(text, options);
  if (const auto cached = cache.find(key)) {
    if (void* handle = dlopen(cached->c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
  }
  counters().compiler_runs.fetch_add(1);
  const fs::path library = build(text, options, msl);
  cache.add(key, library);
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) throw CompileError(std::string("the compiled kernel cannot be loaded: ") + dlerror());
  fs::remove(library);  // it is loaded
  return handle;
}

/// The addresses between which a loaded library lies.
void find_image(void* handle, const char*& begin, const char*& end) {
  link_map* map = nullptr;
  dlinfo(handle, RTLD_DI_LINKMAP, &map);
  struct Search {
    ElfW(Addr) base;
    const char *begin, *end;
  } search{map->l_addr, nullptr, nullptr};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& wanted = *static_cast<Search*>(data);
        if (info->dlpi_addr != wanted.base) return 0;
        wanted.begin = reinterpret_cast<const char*>(info->dlpi_addr);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type == PT_LOAD)
            wanted.end = reinterpret_cast<const char*>(info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
        }
        return 1;
      },
      &search);
  begin = search.begin;
  end = search.end;
}

}  // namespace

std::unique_ptr<Image> Image::compile(const std::string& msl, bool checked, const DiskCache& cache) {
  const HostSource source = prepare(msl);
  std::unique_ptr<Image> image(new Image);
  image->handle_ = load(source, msl, checked, cache);
  const char *begin = nullptr, *end = nullptr;
  find_image(image->handle_, begin, end);
  using Connect = void (*)(ThreadContext* (*)());
  reinterpret_cast<Connect>(dlsym(image->handle_, "ftrans_connect"))(running_thread);
  for (const KernelSignature& signature : source.kernels) {
    const auto run =
        reinterpret_cast<ThreadFunction>(dlsym(image->handle_, ("ftrans_run_" + signature.name).c_str()));
    image->kernels_.push_back({signature.name, run, source.cooperative, signature, begin, end});
  }
  return image;
}

Image::~Image() {
  if (handle_) dlclose(handle_);
}

const LoadedKernel* Image::kernel(const std::string& name) const {
  for (const LoadedKernel& each : kernels_) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

}  // namespace ftrans::metal::host
