#include "metal/source_text.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "metal/disk_cache.h"

namespace ftrans::metal {

std::string with_line_numbers(const std::string& text) {
  std::string result;
  int number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string digits = std::to_string(++number);
    result += std::string(digits.size() < 4 ? 4 - digits.size() : 0, ' ') + digits + "  " +
              text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return result;
}

void dump_source(const std::string& source) {
  const char* folder = std::getenv("FTRANS_METAL_DUMP");
  if (folder == nullptr || *folder == '\0') return;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::filesystem::path path = std::filesystem::path(folder) / (Hash().add(source).digits() + ".metal");
  if (!(std::ofstream(path, std::ios::binary) << source << std::flush))
    throw std::runtime_error("FTRANS_METAL_DUMP: cannot write " + path.string());
}

}  // namespace ftrans::metal
