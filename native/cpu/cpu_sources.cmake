# The fused-kernel executor. Its kernels are compiled once for each instruction set, in a namespace of its own.
target_sources(ftrans_core PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/../kernel/fused_kernel.cpp
  ${CMAKE_CURRENT_LIST_DIR}/complex_kernels.cpp
  ${CMAKE_CURRENT_LIST_DIR}/fused_executor.cpp
  ${CMAKE_CURRENT_LIST_DIR}/fused_layout.cpp
  ${CMAKE_CURRENT_LIST_DIR}/fused_plan.cpp
  ${CMAKE_CURRENT_LIST_DIR}/fused_reduction.cpp
  ${CMAKE_CURRENT_LIST_DIR}/instruction_set.cpp
  ${CMAKE_CURRENT_LIST_DIR}/scalar_kernels.cpp
  ${CMAKE_CURRENT_LIST_DIR}/scalar_program.cpp
  ${CMAKE_CURRENT_LIST_DIR}/scalar_program_run.cpp
  ${CMAKE_CURRENT_LIST_DIR}/special/bessel.cpp
  ${CMAKE_CURRENT_LIST_DIR}/special/error_functions.cpp
  ${CMAKE_CURRENT_LIST_DIR}/special/gamma.cpp
  ${CMAKE_CURRENT_LIST_DIR}/special/incomplete_beta.cpp
  ${CMAKE_CURRENT_LIST_DIR}/special/incomplete_gamma.cpp
  ${CMAKE_CURRENT_LIST_DIR}/special/lambert_w.cpp
  ${CMAKE_CURRENT_LIST_DIR}/special_kernels.cpp
  ${CMAKE_CURRENT_LIST_DIR}/strided_copy.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tile_evaluator.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tile_pieces.cpp)

set_property(SOURCE ${CMAKE_CURRENT_LIST_DIR}/scalar_program_run.cpp PROPERTY COMPILE_OPTIONS -ffp-contract=off)

# Adds the kernels of one instruction set: its namespace, its name for the user, its compiler options.
function(ftrans_add_kernel_set namespace name)
  set(target ftrans_kernels_${namespace})
  add_library(${target} OBJECT
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/arithmetic.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/chain.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/comparison.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/complex.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/convert.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/erf_inv_giles.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/integer_division.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/kernel_set.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/integer_power.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/key_sort.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/reduction.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/special.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/tile_product.cpp
    ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/transcendental.cpp)
  target_include_directories(${target} PRIVATE native)
  target_compile_definitions(${target} PRIVATE FTRANS_ISA_NAMESPACE=${namespace} "FTRANS_ISA_NAME=\"${name}\"")
  # Optimised in every configuration. NaN, infinities and signed zeros keep their meaning (no -ffast-math); in-place
  # kernels read and write one memory as two types.
  target_compile_options(${target} PRIVATE -Wall -Wextra ${FTRANS_KERNEL_OPTIMIZATION} -fno-math-errno
                         -fno-trapping-math -ffp-contract=fast -fno-strict-aliasing
                         $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-pass-failed> ${ARGN})  # of FTRANS_INDEPENDENT
  # The user's own products and sums are rounded one by one, whether or not they run in one kernel.
  set_property(SOURCE ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/arithmetic.cpp
               ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/chain.cpp
               ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/complex.cpp
               ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/simd/erf_inv_giles.cpp PROPERTY COMPILE_OPTIONS -ffp-contract=off)
  target_sources(ftrans_core PRIVATE $<TARGET_OBJECTS:${target}>)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND NOT APPLE AND NOT FTRANS_BASELINE_ONLY)
  ftrans_add_kernel_set(baseline baseline -march=x86-64-v2)
  ftrans_add_kernel_set(v3 x86-64-v3 -march=x86-64-v3)
  ftrans_add_kernel_set(v4 x86-64-v4 -march=x86-64-v4 -mprefer-vector-width=512)
  target_compile_definitions(ftrans_core PRIVATE FTRANS_X86_KERNEL_SETS)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "arm64|aarch64")
  ftrans_add_kernel_set(baseline neon)
else()
  ftrans_add_kernel_set(baseline baseline)
endif()

# ftrans_native_tests: every operation against scalar references, layouts and reductions.
if(FTRANS_NATIVE_TESTS)
  add_executable(ftrans_native_tests
    ${CMAKE_CURRENT_LIST_DIR}/../../tests/native/test_fused_chains.cpp
    ${CMAKE_CURRENT_LIST_DIR}/../../tests/native/test_fused_executor.cpp
    ${CMAKE_CURRENT_LIST_DIR}/../../tests/native/test_fused_integers.cpp
    ${CMAKE_CURRENT_LIST_DIR}/../../tests/native/test_fused_opcodes.cpp)
  target_link_libraries(ftrans_native_tests PRIVATE ftrans_core)
  target_compile_options(ftrans_native_tests PRIVATE -Wall -Wextra)
endif()
