# Cross-compiles for macOS on Apple silicon where there is no Mac, with Zig's C++ compiler: docs/metal.md.
#   ZIG               the compiler: the ziglang package's `zig`
#   APPLE_FRAMEWORKS  a folder with Frameworks/, include/ and lib/ of Apple's SDK
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_CXX_COMPILER $ENV{ZIG} c++)
set(CMAKE_AR $ENV{ZIG})
set(CMAKE_RANLIB $ENV{ZIG})
set(CMAKE_CXX_ARCHIVE_CREATE "<CMAKE_AR> ar qc <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "<CMAKE_RANLIB> ranlib <TARGET>")
set(CMAKE_CXX_COMPILER_TARGET aarch64-macos.14.0)
set(CMAKE_OSX_SYSROOT "")
set(CMAKE_OSX_DEPLOYMENT_TARGET "")
set(sdk $ENV{APPLE_FRAMEWORKS})
set(CMAKE_CXX_FLAGS_INIT "-iframework ${sdk}/Frameworks -idirafter ${sdk}/include")
foreach(kind EXE SHARED MODULE)
  set(CMAKE_${kind}_LINKER_FLAGS_INIT "-F${sdk}/Frameworks -L${sdk}/lib -lobjc -Wl,-undefined,dynamic_lookup")
endforeach()
# Zig's linker takes no file of arguments: nanobind's has the names of Python's functions, which are looked up at run time
# in any case. Asked for a bundle it crashes; Python loads a library as well.
set(CMAKE_CXX_LINKER_LAUNCHER
    sh -c "exec $(printf '%s\\n' \"$@\" | sed -e '/^-Wl,@/d' -e 's/^-bundle/-dynamiclib/')" link)
