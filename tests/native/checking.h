#pragma once

// CHECK for tests that have nothing else in common.

#include <cstdio>

namespace ftrans::checking {

inline int failures = 0;

inline void check(bool condition, const char* file, int line, const char* text) {
  if (condition) return;
  std::printf("%s:%d: failed: %s\n", file, line, text);
  ++failures;
}

/// What main returns.
inline int outcome() {
  std::printf("%d failures\n", failures);
  return failures ? 1 : 0;
}

}  // namespace ftrans::checking

#define CHECK(condition) ftrans::checking::check(static_cast<bool>(condition), __FILE__, __LINE__, #condition)
