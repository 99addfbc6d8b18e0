# The Metal backend. Its device is Apple's on macOS; elsewhere it is the host device, for the tests.
target_sources(ftrans_core PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/backend.cpp
  ${CMAKE_CURRENT_LIST_DIR}/disk_cache.cpp
  ${CMAKE_CURRENT_LIST_DIR}/expressions.cpp
  ${CMAKE_CURRENT_LIST_DIR}/fused_kernel.cpp
  ${CMAKE_CURRENT_LIST_DIR}/fused_layout.cpp
  ${CMAKE_CURRENT_LIST_DIR}/gate.cpp
  ${CMAKE_CURRENT_LIST_DIR}/hazards.cpp
  ${CMAKE_CURRENT_LIST_DIR}/kernel_printer.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lasting_queue.cpp
  ${CMAKE_CURRENT_LIST_DIR}/memory.cpp
  ${CMAKE_CURRENT_LIST_DIR}/printer.cpp
  ${CMAKE_CURRENT_LIST_DIR}/queue.cpp
  ${CMAKE_CURRENT_LIST_DIR}/recording.cpp
  ${CMAKE_CURRENT_LIST_DIR}/row_plan.cpp
  ${CMAKE_CURRENT_LIST_DIR}/row_printer.cpp
  ${CMAKE_CURRENT_LIST_DIR}/source_text.cpp
  ${CMAKE_CURRENT_LIST_DIR}/step_kernel.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/argreduce.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/arithmetic.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/attention.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/convolution.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/custom.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/kernel_call.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/layout_call.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/matmul.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement/axes.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement/copy.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement/gather.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement/grid.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement/pad.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement/random.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement/scatter.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement/sort.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/movement/windows.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/product.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/scan.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/side.cpp
  ${CMAKE_CURRENT_LIST_DIR}/steps/window.cpp
  ${CMAKE_CURRENT_LIST_DIR}/supported.cpp)
if(APPLE)
  target_sources(ftrans_core PRIVATE ${CMAKE_CURRENT_LIST_DIR}/apple/device.mm)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/apple/device.mm PROPERTIES COMPILE_OPTIONS -fobjc-arc)
  target_link_libraries(ftrans_core PUBLIC "-framework Foundation" "-framework Metal")
else()
  target_sources(ftrans_core PRIVATE
    ${CMAKE_CURRENT_LIST_DIR}/host/compiler.cpp
    ${CMAKE_CURRENT_LIST_DIR}/host/device.cpp
    ${CMAKE_CURRENT_LIST_DIR}/host/fiber.cpp
    ${CMAKE_CURRENT_LIST_DIR}/host/source.cpp
    ${CMAKE_CURRENT_LIST_DIR}/host/threadgroup.cpp)
endif()

# The headers that kernels on the host device are compiled with become strings.
set(ftrans_metal_headers
  metal_stdlib metal_types.h vectors.h metal_math.h metal_threads.h metal_atomic.h atomics.h metal_matrix.h
  thread_context.h checked_access.h)
set(FTRANS_METAL_HEADERS "")
foreach(header ${ftrans_metal_headers})
  set(path ${CMAKE_CURRENT_LIST_DIR}/host/include/${header})
  file(READ ${path} text)
  string(APPEND FTRANS_METAL_HEADERS "    {\"${header}\", R\"header(${text})header\"},\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/host/headers.h.in ${CMAKE_CURRENT_BINARY_DIR}/generated/metal/host/headers.h @ONLY)

# So do the functions that printed kernels call, and the hand-written ones: kernels/numbers.metal is
# kNumbersSource.
set(FTRANS_METAL_KERNELS "")
foreach(part
    Numbers Functions Complex Special Gamma Reductions  # printed kernels
    Steps Argreduce Scan Window Product Matmul Convolution Attention
    Blocks Copy Transpose Pad Gather Scatter Sort Random)  # steps/
  string(TOLOWER ${part} file)
  set(path ${CMAKE_CURRENT_LIST_DIR}/kernels/${file}.metal)
  file(READ ${path} text)
  string(APPEND FTRANS_METAL_KERNELS "inline constexpr char k${part}Source[] = R\"metal(${text})metal\";\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/kernels.h.in ${CMAKE_CURRENT_BINARY_DIR}/generated/metal/kernels.h @ONLY)
target_include_directories(ftrans_core PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)

# Tests on the host device.
function(ftrans_add_metal_test name)
  set(target ftrans_metal_${name}_tests)
  add_executable(${target} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../tests/native/test_metal_${name}.cpp)
  target_link_libraries(${target} PRIVATE ftrans_core)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)
  target_compile_options(${target} PRIVATE -Wall -Wextra -O0)
  add_test(NAME metal_${name} COMMAND ${with_blas_path} $<TARGET_FILE:${target}> "${Python_EXECUTABLE}"
                                      "${print_blas_path}")
endfunction()

# Tests on the host device whose kernels are checked, too, for being legal MSL.
function(ftrans_add_metal_kernel_test name)
  ftrans_add_metal_test(${name})
  set_tests_properties(metal_${name} PROPERTIES ENVIRONMENT FTRANS_METAL_DUMP=${CMAKE_BINARY_DIR}/metal
                       FIXTURES_REQUIRED metal_folder FIXTURES_SETUP metal_kernels)
endfunction()

if(FTRANS_NATIVE_TESTS AND NOT APPLE)
  ftrans_add_metal_test(host)
  ftrans_add_metal_test(cache)
  ftrans_add_metal_kernel_test(queue)
  ftrans_add_metal_kernel_test(printer)
  ftrans_add_metal_kernel_test(rows)
  ftrans_add_metal_kernel_test(attention)
  ftrans_add_metal_kernel_test(movement)
  ftrans_add_metal_kernel_test(arithmetic)
  add_test(NAME metal_folder COMMAND rm -rf ${CMAKE_BINARY_DIR}/metal)  # an isolated build leaves no cmake
  set_tests_properties(metal_folder PROPERTIES FIXTURES_SETUP metal_folder)
  add_test(NAME metal_legality COMMAND "${Python_EXECUTABLE}" -m tests.metal.legality ${CMAKE_BINARY_DIR}/metal
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(metal_legality PROPERTIES FIXTURES_REQUIRED metal_kernels)
endif()
