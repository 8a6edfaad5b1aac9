# Finds LibTorch in TORCH_ROOT, then in the cached environment, then beside the python3 on PATH, and imports what we link.
# Torch's own package file is not used: it stops on a machine without a CUDA toolkit, which nothing here needs.
set(RELOADLAB_TORCH_VERSION 2.11.0)
if(DEFINED ENV{RELOADLAB_CACHE})
  set(reloadlab_cache $ENV{RELOADLAB_CACHE})
else()
  set(reloadlab_cache $ENV{HOME}/.cache/reloadlab)
endif()

function(reloadlab_find_torch result)
  set(candidates ${TORCH_ROOT} $ENV{TORCH_ROOT})
  file(GLOB cached ${reloadlab_cache}/torch-${RELOADLAB_TORCH_VERSION}/lib/python3*/site-packages/torch)
  list(APPEND candidates ${cached})
  execute_process(COMMAND python3 -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
                  OUTPUT_VARIABLE beside OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(APPEND candidates ${beside})
  foreach(root IN LISTS candidates)
    if(EXISTS ${root}/lib/libtorch_cpu.so)
      set(${result} ${root} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "LibTorch ${RELOADLAB_TORCH_VERSION} not found: run ci/setup, or pass -DTORCH_ROOT=<site-packages>/torch")
endfunction()

reloadlab_find_torch(RELOADLAB_TORCH)
message(STATUS "LibTorch: ${RELOADLAB_TORCH}")
add_library(reloadlab_torch INTERFACE)
target_include_directories(reloadlab_torch SYSTEM INTERFACE ${RELOADLAB_TORCH}/include ${RELOADLAB_TORCH}/include/torch/csrc/api/include)
# -Winterference-size comes from Torch's own headers only.
target_compile_options(reloadlab_torch INTERFACE -Wno-interference-size)
target_link_libraries(reloadlab_torch INTERFACE ${RELOADLAB_TORCH}/lib/libtorch_cpu.so ${RELOADLAB_TORCH}/lib/libc10.so)
