#!/usr/bin/env bash
# install_test.sh SOURCE PYTHON TOOLS: `pip install` into an environment of its own beside PYTHON's torch, and the example project there, as
# a stranger would. Without network: what pip would fetch for the build is in TOOLS.
set -euo pipefail
source=$1 python=$2 tools=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() { printf '%s\n' "$1"; tail -n 40 "$folder/log"; exit 1; }
expect_said() { grep -qE -- "$1" "$folder/log" || fail "not said: $1"; }

# The interpreter that PYTHON's environment was made with, and that environment's packages behind the new one's.
"$(readlink -f "$python")" -m venv "$folder/venv"
site=$("$folder/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/beside.pth"
printf '%s\n' "$tools" >>"$site/beside.pth"
PATH=$folder/venv/bin:$PATH
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore::UserWarning
run_pytest() { python -m pytest -p no:cacheprovider "$@" >"$folder/log" 2>&1; }

files_of_the_tree() { (cd "$source" && find . -type f -not -path './build/*' -not -path './out/*' -not -path './.git/*' | sort); }

it_installs_and_leaves_nothing_in_the_tree() {
  files_of_the_tree >"$folder/before"
  CMAKE_BUILD_PARALLEL_LEVEL=2 pip install --no-index --no-build-isolation "$source" >"$folder/log" 2>&1 || fail "not installed"
  files_of_the_tree | diff "$folder/before" - >"$folder/log" || fail "not the files that were there"
}

it_is_the_program_too() {
  cd "$folder"
  reloadlab run scenarios/layerwise/in_every_world.yaml --world cpu --candidate layerwise@hardened >"$folder/log" 2>&1 ||
    fail "does not run"
  expect_said '^2 runs; '
  reloadlab run scenarios/nowhere.yaml >"$folder/log" 2>&1 && fail "ran what is not there"
  expect_said '^scenarios/nowhere.yaml: no such file or folder'
}

the_example_passes() {
  cp -r "$source/sim/python/example" "$folder/mine" && cd "$folder/mine"
  run_pytest -rs || fail "the example fails"
  expect_said '7 passed, 2 skipped'
  expect_said 'SKIPPED .*no GPU here'
}

what_is_wrong_fails() {
  sed -i 's/live.copy_(param.data)/pass/' staged.py
  run_pytest -x fused_projection.yaml && fail "passes with loads that are lost"
  expect_said '^FAIL  cold_load_equal   python:staged:Staged '
  expect_said '^FAILED fused_projection.yaml::fused-projection\[ranks=1\]'
  run_pytest ./test_staged.py && fail "passes on a model of one's own"
  expect_said '^E +fail cold_load_equal: '
}

its_types_are_known() {
  python -m mypy --strict --cache-dir "$folder/mypy" "$source/sim/python/example/staged.py" >"$folder/log" 2>&1 || fail "types"
  printf 'import reloadlab\nreloadlab.watch(1)\n' >"$folder/wrong.py"
  python -m mypy --strict --cache-dir "$folder/mypy" "$folder/wrong.py" >"$folder/log" 2>&1 && fail "an int is no model"
  expect_said 'incompatible type "int"; expected "?Module'
}

it_installs_and_leaves_nothing_in_the_tree
it_is_the_program_too
the_example_passes
what_is_wrong_fails
its_types_are_known
