#pragma once

// The steps of the family `arithmetic`, one function an operation. All but those of conv and of the extremes take
// every dtype that Metal has.

#include "metal/step_kernel.h"

namespace ftrans::metal {

// scan.cpp
void cumsum(Encoder& encoder, const StepArguments& arguments);
void cumprod(Encoder& encoder, const StepArguments& arguments);
void cummax(Encoder& encoder, const StepArguments& arguments);
void cummin(Encoder& encoder, const StepArguments& arguments);

// argreduce.cpp
void argmax(Encoder& encoder, const StepArguments& arguments);
void argmin(Encoder& encoder, const StepArguments& arguments);

// matmul.cpp
void dot_general(Encoder& encoder, const StepArguments& arguments);

// convolution.cpp
void conv(Encoder& encoder, const StepArguments& arguments);

// window.cpp
void reduce_window_sum(Encoder& encoder, const StepArguments& arguments);
void reduce_window_prod(Encoder& encoder, const StepArguments& arguments);
void reduce_window_max(Encoder& encoder, const StepArguments& arguments);
void reduce_window_min(Encoder& encoder, const StepArguments& arguments);
void window_argmax(Encoder& encoder, const StepArguments& arguments);
void window_argmin(Encoder& encoder, const StepArguments& arguments);

}  // namespace ftrans::metal
