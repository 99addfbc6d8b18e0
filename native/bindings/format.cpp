#include <cmath>
#include <complex>
#include <cstdio>

#include "bindings/array.h"
#include "core/half.h"

namespace ftrans::bindings {
namespace {

constexpr int64_t kSummarizeAbove = 1000;  // elements, as in NumPy
constexpr int64_t kEdge = 3;

std::string format_float(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

std::string format_complex(double real, double imaginary) {
  std::string text = format_float(imaginary);
  if (text[0] != '-') text = "+" + text;
  return format_float(real) + text + "j";
}

std::string format_element(Dtype dtype, const void* element) {
  switch (dtype) {
    case Dtype::Bool: return *static_cast<const bool*>(element) ? "True" : "False";
    case Dtype::Int8: return std::to_string(*static_cast<const int8_t*>(element));
    case Dtype::Int16: return std::to_string(*static_cast<const int16_t*>(element));
    case Dtype::Int32: return std::to_string(*static_cast<const int32_t*>(element));
    case Dtype::Int64: return std::to_string(*static_cast<const int64_t*>(element));
    case Dtype::UInt8: return std::to_string(*static_cast<const uint8_t*>(element));
    case Dtype::UInt16: return std::to_string(*static_cast<const uint16_t*>(element));
    case Dtype::UInt32: return std::to_string(*static_cast<const uint32_t*>(element));
    case Dtype::UInt64: return std::to_string(*static_cast<const uint64_t*>(element));
    case Dtype::Float16: return format_float(to_float(*static_cast<const Float16*>(element)));
    case Dtype::BFloat16: return format_float(to_float(*static_cast<const BFloat16*>(element)));
    case Dtype::Float32: return format_float(*static_cast<const float*>(element));
    case Dtype::Float64: return format_float(*static_cast<const double*>(element));
    case Dtype::Complex64: {
      const auto number = *static_cast<const std::complex<float>*>(element);
      return format_complex(number.real(), number.imag());
    }
    case Dtype::Complex128: {
      const auto number = *static_cast<const std::complex<double>*>(element);
      return format_complex(number.real(), number.imag());
    }
  }
  return "?";
}

void format_axis(const Value& value, int axis, const char* data, bool summarize, std::string& text) {
  if (axis == value.shape.size()) {
    text += format_element(value.dtype, data);
    return;
  }
  const int64_t extent = value.shape[axis];
  const int64_t step = value.strides[axis] * itemsize(value.dtype);
  const bool last = axis + 1 == value.shape.size();
  text += "[";
  for (int64_t i = 0; i < extent; ++i) {
    if (i > 0) {
      text += ",";
      text += last ? " " : std::string(value.shape.size() - axis - 1, '\n') + std::string(7 + axis, ' ');
    }
    if (summarize && extent > 2 * kEdge && i == kEdge) {
      text += "...";
      i = extent - kEdge - 1;
      continue;
    }
    format_axis(value, axis + 1, data + i * step, summarize, text);
  }
  text += "]";
}

}  // namespace

std::string format_array(const Value& value) {
  std::string text = "array(";
  if (value.size == 0) {
    text += "[]";
  } else {
    format_axis(value, 0, static_cast<const char*>(value.data()), value.size > kSummarizeAbove, text);
  }
  text += ", ";
  if (value.size == 0 && value.shape.size() > 1) {
    std::string extents;
    for (int64_t extent : value.shape) extents += (extents.empty() ? "" : ", ") + std::to_string(extent);
    text += "shape=(" + extents + "), ";
  }
  return text + "dtype=" + name(value.dtype) + ")";
}

}  // namespace ftrans::bindings
