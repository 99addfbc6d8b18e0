# Step kernels and BLAS.
set(step_sources
    blas.cpp
    lapack.cpp
    step_kernels.cpp
    steps/argreduce.cpp
    steps/block_copy.cpp
    steps/convolution.cpp
    steps/convolution_channelwise.cpp
    steps/convolution_direct.cpp
    steps/factorizations.cpp
    steps/indexing.cpp
    steps/large_eigensystem.cpp
    steps/large_svd.cpp
    steps/matmul.cpp
    steps/random.cpp
    steps/scan.cpp
    steps/shape.cpp
    steps/small_cholesky.cpp
    steps/solvers.cpp
    steps/sort.cpp
    steps/sort_keys.cpp
    steps/spectral.cpp
    steps/window.cpp)
if(APPLE)
  list(APPEND step_sources blas_accelerate.cpp)
else()
  list(APPEND step_sources blas_openblas.cpp)
endif()
list(TRANSFORM step_sources PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
target_sources(ftrans_core PRIVATE ${step_sources})

# ftrans_step_tests PATH_OF_LIBSCIPY_OPENBLAS: checks of all step kernels and of the thread pool.
if(FTRANS_NATIVE_TESTS)
  set(step_tests ${CMAKE_CURRENT_LIST_DIR}/../../tests/native)
  add_executable(ftrans_step_tests ${step_tests}/test_step_kernels.cpp ${step_tests}/test_step_indexing.cpp
                 ${step_tests}/test_step_linear_algebra.cpp ${step_tests}/test_step_sort.cpp
                 ${step_tests}/test_step_windows.cpp)
  target_link_libraries(ftrans_step_tests PRIVATE ftrans_core)
  target_compile_options(ftrans_step_tests PRIVATE -Wall -Wextra)
endif()
