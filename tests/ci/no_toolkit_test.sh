#!/usr/bin/env bash
# Configures on a machine whose CUDA toolkit, if it has one, is hidden: that must succeed, ask for no nvcc, and name no toolkit.
# no_toolkit_test.sh SOURCE BUILD: BUILD is the folder of the build that runs this test, which must name none either.
set -euo pipefail
source=$1 build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() { printf '%s\n' "$1"; cat "$folder/log"; exit 1; }

# First on PATH stands an nvcc that tells that it was called and fails, as if there were none.
hide_toolkit() {
  mkdir "$folder/bin"
  printf '#!/bin/sh\ntouch %s/called\nexit 127\n' "$folder" >"$folder/bin/nvcc"
  chmod +x "$folder/bin/nvcc"
  export PATH=$folder/bin:$PATH
  unset CUDACXX CUDA_HOME CUDA_PATH CUDA_ROOT CUDAToolkit_ROOT CUDA_TOOLKIT_ROOT_DIR LD_LIBRARY_PATH LIBRARY_PATH CPATH CPLUS_INCLUDE_PATH
  hidden=$(printf '%s;' /usr/local/cuda* /usr/lib/cuda* /opt/cuda*)
}

configure() {
  cmake -S "$source" -B "$folder/build" -G Ninja -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "-DCMAKE_IGNORE_PREFIX_PATH=$hidden" \
    >"$folder/log" 2>&1 || fail "does not configure without a CUDA toolkit"
  [ ! -e "$folder/called" ] || fail "nvcc was called"
}

names_no_toolkit() {
  local file
  for file in CMakeCache.txt build.ninja compile_commands.json; do
    grep -v '^CMAKE_IGNORE_PREFIX_PATH' "$1/$file" | grep -nE 'nvcc|/usr/local/cuda|/usr/lib/cuda|/opt/cuda' >"$folder/log" || continue
    fail "$1/$file names a CUDA toolkit"
  done
}

hide_toolkit
configure
names_no_toolkit "$folder/build"
names_no_toolkit "$build"
