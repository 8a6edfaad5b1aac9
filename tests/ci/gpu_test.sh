#!/usr/bin/env bash
# ci/gpu on a host that need not have a GPU: a fake driver says what there is. Then what becomes of results, in a copy of bench/results.
# gpu_test.sh SOURCE BUILD TORCH DRIVER: DRIVER is the folder of the fake driver.
set -euo pipefail
source=$1 build=$2 torch=$3 driver=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export GPU_BUILD=$build TORCH_ROOT=$torch LD_LIBRARY_PATH=$driver

fail() { printf '%s\n' "$1"; cat "$folder/log"; exit 1; }
expect() { "$@" || fail "not so: $*"; }
expect_said() { grep -qF -- "$1" "$folder/log" || fail "not said: $1"; }
# comes_to CODE COMMAND…
comes_to() {
  local wanted=$1 code=0
  shift
  "$@" >"$folder/log" 2>&1 || code=$?
  [ $code = "$wanted" ] || fail "exit code $code instead of $wanted: $*"
}

what_is_packed_is_whole() {
  comes_to 0 "$source/ci/gpu" pack "$folder/packed"
  local name
  for name in gpu commit reloadlab libreloadlab_cuda.so gpu_faults bench_gpu_reload bench_gpu_series \
    lib/libreloadlab_tap.so scenarios/layerwise scenarios/expectations/layerwise; do
    expect test -e "packed/$name"
  done
  expect_said 'left out, for its checkpoint lies in the cache: scenarios/models/minilm.yaml'
  expect test ! -e packed/scenarios/models/minilm.yaml
  expect test -z "$(ls packed/lib | grep -E 'torch|c10|cuda|nccl|libc\.|stdc')"
  for name in $(readelf -d packed/{reloadlab,libreloadlab_cuda.so,bench_gpu_*} | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -vE '^(ld-linux.*|lib(c|m|stdc\+\+|gcc_s|dl|rt|pthread|torch.*|c10.*|cuda.*|nvidia.*|nccl.*))\.so'); do
    expect test -e "packed/lib/$name"
  done
  expect test "$(cat packed/commit | cut -c 1-12)" = "$(git -C "$source" rev-parse --short=12 HEAD)"
  expect test "$(ls)" = "$(printf 'log\npacked')"
}

what_others_keep_stays() {
  mkdir thesis
  echo thesis >thesis/thesis.txt
  comes_to 73 "$source/ci/gpu" pack thesis
  expect_said "$folder/thesis is there and holds nothing that ci/gpu packed: it stays"
  expect test "$(cat thesis/thesis.txt)" = thesis
  rm -r thesis
  comes_to 64 "$source/ci/gpu" pack packed other
  mkdir again
  comes_to 0 "$source/ci/gpu" pack again/ # empty, by a path that begins here
  comes_to 0 "$source/ci/gpu" pack again/
  expect test -x again/reloadlab
  rm -r again
}

without_a_build_there_is_nothing_to_pack() {
  GPU_BUILD=$folder/none comes_to 66 "$source/ci/gpu" pack "$folder/other"
  expect_said 'is not built: ci/build release'
  expect test ! -e other
}

what_is_missing_is_said() {
  comes_to 64 packed/gpu
  comes_to 66 packed/gpu run "$folder"
  expect_said 'holds nothing that ci/gpu packed'
  TORCH_ROOT=$folder comes_to 69 packed/gpu run packed
  expect_said 'no LibTorch with CUDA'
  comes_to 66 packed/gpu faults "$folder"
  FAKE_GPUS=0 comes_to 4 packed/gpu faults packed
  comes_to 66 packed/gpu bench "$folder"
  expect_said 'holds no benches'
  comes_to 64 packed/gpu bench packed scenarios/layerwise
  FAKE_GPUS=0 comes_to 4 packed/gpu bench packed
  FAKE_GPUS=0 comes_to 4 packed/gpu run packed
  expect_said 'no GPU here: the driver 580.1 knows none'
  expect test ! -e gpu-out
}

# More ranks than this driver has GPUs, so that every case is skipped, on any host.
a_run_leaves_its_files() {
  FAKE_GPUS=1 comes_to 4 packed/gpu run packed --out out scenarios/shared_series/plain_ring.yaml --ranks 3
  expect_said 'GPU 0: NVIDIA Fake 80GB'
  expect grep -q 'needs 3 GPUs, one for each rank' out/result.json
  expect test -s out/junit.xml
  expect grep -q "\"commit\": \"$(cat packed/commit)\"" out/machine.json
  expect grep -q '"driver": "580.1"' out/machine.json
  expect grep -q '"arguments": "scenarios/shared_series/plain_ring.yaml --ranks 3"' out/machine.json
  cp -r out failed
  FAKE_GPUS=1 comes_to 64 packed/gpu run packed --out failed --no-such-option
  expect test ! -e failed/result.json # which would be taken for this run's
  comes_to 64 packed/gpu run packed --out
  expect_said '--out needs a folder'
}

# This driver has nothing to compute on.
benches_leave_what_they_measured() {
  FAKE_GPUS=1 comes_to 70 packed/gpu bench packed --out figures
  expect_said 'needs 2 GPUs; there are 0 here'
  expect_said 'Found no NVIDIA driver'
  expect test "$(ls figures)" = machine-bench.json
  comes_to 65 "$source/ci/gpu" keep figures
  expect_said 'no result.json, reload.json, series.json, vllm.json, fuzz.json or rates.json'
}

a_campaign_leaves_its_summary() {
  FAKE_GPUS=1 comes_to 4 packed/gpu fuzz packed --out drawn --system layerwise --cases 3
  expect grep -q '"judged": 0' drawn/fuzz.json
  expect grep -q '"arguments": "--system layerwise --cases 3"' drawn/machine-fuzz.json
  FAKE_GPUS=0 comes_to 4 packed/gpu fuzz packed --out none --system layerwise
  comes_to 66 packed/gpu fuzz "$folder"
}

# bench/results/keep writes the summary, and bench/results/tables draws it.
results_are_kept_and_drawn() {
  mkdir -p copy/ci copy/bench
  cp "$source/ci/gpu" copy/ci
  cp -r "$source/bench/results" copy/bench
  comes_to 0 copy/bench/results/tables --check
  comes_to 0 copy/ci/gpu keep out
  expect test -s copy/bench/results/fake-80gb-1/*-"$(tr + - <packed/commit)".json
  expect grep -q '1 × NVIDIA Fake 80GB' copy/bench/results/README.md
  expect grep -q '^| `shared_series@seed` | .* skipped |' copy/bench/results/README.md
  printf '%s' '{"context": {"date": "2026-01-02T03:04:05", "executable": "x/bench_gpu_reload", "device": "Fake", "commit": "f00"},' \
    '"benchmarks": [{"name": "reload/dense/seed", "threads": 1, "ms:once": 2.0, "reload/once": 1.5}]}' >figures/reload.json
  printf '%s' '{"kind": "rates", "device": "Fake", "gpus": 1, "rates": {"flop_per_s": 5000, "beside_percent": 1},' \
    '"of_the_table": ["beside_percent"]}' >figures/rates.json
  sed 's|reload/dense/seed|vllm@0.0.1/dense|; s/f00/f01/' figures/reload.json >figures/vllm.json
  comes_to 0 copy/ci/gpu keep figures
  expect grep -q '^| `vllm@0.0.1/dense` | 2.00 | – | 1.50 | – | – |' copy/bench/results/README.md
  expect grep -q '^| `reload/dense/seed` | 2.00 | – | 1.50 | – | – |' copy/bench/results/README.md
  expect test "$(grep -c threads copy/bench/results/fake-80gb-1/*-reload.json)" = 0
  comes_to 0 copy/ci/gpu keep drawn
  expect grep -q '^`fuzz --system layerwise --cases 3`: 3 cases in' copy/bench/results/README.md
  expect grep -q '"driver": "580.1"' copy/bench/results/fake-80gb-1/*-reload.json
  expect test -s copy/bench/results/fake-80gb-1/*-rates.json
  expect grep -q '^| flop_per_s |$' copy/bench/results/README.md
  comes_to 0 copy/bench/results/tables --check
  sed -i 's/1 × NVIDIA Fake/2 × NVIDIA Fake/' copy/bench/results/README.md
  comes_to 1 copy/bench/results/tables --check
  expect_said 'is stale'
  comes_to 65 copy/ci/gpu keep packed
  expect_said 'is not what `ci/gpu run` or `bench` leaves'
}

comes_to 0 "$source/bench/results/tables" --check
what_is_packed_is_whole
what_others_keep_stays
without_a_build_there_is_nothing_to_pack
what_is_missing_is_said
a_run_leaves_its_files
benches_leave_what_they_measured
a_campaign_leaves_its_summary
results_are_kept_and_drawn
