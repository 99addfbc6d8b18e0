#pragma once

#include <string>

namespace ftrans::metal {

/// Each line with its number, for messages.
std::string with_line_numbers(const std::string& text);

/// Writes a source that is about to be compiled to the folder that the environment variable
/// FTRANS_METAL_DUMP names (<hash>.metal), if there is one. Throws std::runtime_error if that fails.
void dump_source(const std::string& source);

}  // namespace ftrans::metal
