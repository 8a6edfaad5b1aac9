#!/usr/bin/env bash
# The commands of ci/recipes, taken out of each recipe and run as its system runs them: in one shell that stops at the first that fails.
# Once without a baseline, once with the first run's result, and once with a baseline that was cheaper, which has to fail.
set -euo pipefail
source=$1 build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() { printf '%s\n' "$1"; cat "$folder/log" 2>/dev/null; exit 1; }

# Lines of the block that opens with the line matching $1, as deep as its first one; out of YAML's `run: |`.
block() { awk -v open="$1" '$0 ~ open { inside = 1; depth = 0; next }
  inside { match($0, /^ */); if (!depth) depth = RLENGTH; if (RLENGTH < depth) { inside = 0 } else print substr($0, depth + 1) }'; }
# Items of a YAML list of commands, folded ones (>-) as one line.
items() { awk '/^ *- >-$/ { folded = 1; next }
  /^ *- / { if (line) print line; line = ""; sub(/^ *- /, ""); print; next }
  { sub(/^ */, ""); line = line (line ? " " : "") $0 } END { if (line) print line }'; }
commands_of() {
  case $1 in
    github.yml | nightly.yml) block '^ *run: [|]$' <"$source/ci/recipes/$1" ;;
    gitlab-ci.yml) block '^  script:$' <"$source/ci/recipes/$1" | items ;;
    Jenkinsfile) sed -n "/sh '''/,/'''/p" "$source/ci/recipes/$1" | grep -v "'''" ;;
  esac
}

after_script() { block '^  after_script:$' <"$source/ci/recipes/gitlab-ci.yml" | items; }

# play RECIPE: its commands in the folder, with the built program on the path and neither a network nor a token.
play() {
  (cd "$folder/$1" && PATH=$build:$PATH CI_API_V4_URL=file:///nowhere CI_JOB_TOKEN='' CI_PROJECT_ID=0 GH_TOKEN='' \
    bash -e "$folder/$1.sh") >"$folder/log" 2>&1
}
expect_exit() {
  local came=0
  play "$1" || came=$?
  [ "$came" = "$2" ] || fail "$1: exit code $came, expected $2 $3"
}

for recipe in github.yml gitlab-ci.yml Jenkinsfile; do
  here=$folder/$recipe
  mkdir -p "$here/scenarios/layerwise" "$here/scenarios/expectations/layerwise"
  cp "$source"/scenarios/layerwise/repeated_shard.yaml "$here/scenarios/layerwise"
  cp "$source"/scenarios/expectations/layerwise/repeated-shard.yaml "$here/scenarios/expectations/layerwise"
  commands_of "$recipe" >"$folder/$recipe.sh"
  grep -q '^ *reloadlab run ' "$folder/$recipe.sh" || fail "$recipe: no command that runs scenarios was found"
  grep -q 'ci/setup && ci/build release' "$source/ci/recipes/$recipe" || fail "$recipe: it builds nothing"
  grep -q -- --baseline "$folder/$recipe.sh" || fail "$recipe: it has no baseline"

  expect_exit "$recipe" 0 "without a baseline"
  for file in result.json junit.xml result.sarif; do [ -s "$here/out/latest/$file" ] || fail "$recipe: leaves no $file"; done
  mkdir -p "$here/baseline" && cp "$here/out/latest/result.json" "$here/baseline/result.json"
  expect_exit "$recipe" 0 "with the baseline of the same"
  [ "$recipe" != gitlab-ci.yml ] || (cd "$here" && bash -e <(after_script) && [ -s report/junit.xml ]) || fail "$recipe: keeps no report"
  grep -q '0 worse, 0 better' "$folder/log" || fail "$recipe: nothing was held against the baseline"
  sed -i 's/"copies": [0-9]*/"copies": 1/' "$here/baseline/result.json"
  expect_exit "$recipe" 1 "with a baseline that copied less"
  grep -q 'copies: 1 before' "$folder/log" || fail "$recipe: does not say what went up"
  rm -r "$here/baseline" "$here/scenarios/expectations"
  expect_exit "$recipe" 1 "where the seed's failures are not known"
  [ "$recipe" != github.yml ] || grep -q '^::error file=scenarios/' "$folder/log" || fail "github.yml: prints no annotation"
done

# The nightly one: a short night that finds nothing, one whose options are wrong, and one that finds something and keeps it.
night() {
  local came=0
  (cd "$folder/nightly" && PATH=$build:$PATH FUZZ_SYSTEM=$1 FUZZ_FOR=2s FUZZ_SEED=$2 \
    bash -e <(sed "s/--jobs 2/--jobs 2 $3/" "$folder/nightly.sh")) >"$folder/log" 2>&1 || came=$?
  [ "$came" = "$4" ] || fail "nightly.yml: exit code $came, expected $4"
}
mkdir "$folder/nightly"
commands_of nightly.yml >"$folder/nightly.sh"
grep -q 'ci/setup && ci/build release' "$source/ci/recipes/nightly.yml" || fail "nightly.yml: it builds nothing"
for system in $(sed -n 's/.*system: \[\(.*\)\]}.*/\1/p' "$source/ci/recipes/nightly.yml" | tr -d ,); do
  night "$system" "$(printf '%040d' 7)" "" 0
  [ -s "$folder/nightly/fuzz.json" ] || fail "nightly.yml: leaves no summary of $system"
done
night no_such_system 7 "" 64
night layerwise 7 "--candidate mutant@lw_last_row_lost" 1
[ -n "$(ls "$folder/nightly/fuzz/failing")" ] || fail "nightly.yml: keeps nothing of what it found"
