# What a builder may choose, and what every target of ours is compiled with.
set(RELOADLAB_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. address;undefined")
set(RELOADLAB_LIBFUZZER OFF CACHE BOOL "Readers of foreign bytes as libFuzzer programs (tests/fuzz); with the sanitizers")

# With LibTorch's headers most of a compilation is the same for every source, so that many at once take half the time.
set(RELOADLAB_FILES_AT_ONCE 16 CACHE STRING "Sources of a target that are compiled as one; 1: each by itself")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# What is installed finds its libraries beside itself, and LibTorch where it was found.
set(CMAKE_INSTALL_RPATH $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# LibTorch's headers change object layouts without NDEBUG, so every build type defines it; our own checks stay on.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -DNDEBUG")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Paths relative to the source tree, so that every build folder and preset of a checkout shares one cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_library(reloadlab_flags INTERFACE)
target_compile_options(reloadlab_flags INTERFACE -Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual -Werror
                       -Wno-missing-field-initializers -fno-strict-aliasing -fpch-preprocess)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # A local name may be that of something in another source, compiled at once. And the compiler looks for what it can forget from 128 MB
  # on, which most of ours have many times: 9 % of its time.
  target_compile_options(reloadlab_flags INTERFACE -Wshadow=local --param=ggc-min-heapsize=1500000)
else()
  target_compile_options(reloadlab_flags INTERFACE -Wshadow)
endif()
target_include_directories(reloadlab_flags INTERFACE ${CMAKE_SOURCE_DIR})
if(RELOADLAB_SANITIZE)
  list(JOIN RELOADLAB_SANITIZE "," sanitizers)
  target_compile_options(reloadlab_flags INTERFACE -fsanitize=${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(reloadlab_flags INTERFACE -fsanitize=${sanitizers})
endif()
