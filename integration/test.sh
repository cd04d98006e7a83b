#!/usr/bin/env bash
# Every test, from a bare Debian 12: installs what is missing, builds, runs the unit and simulation tests under the address
# and the thread sanitizers, fuzzes the parsers, and plays the scenarios of integration/scenarios against real servers.
#
#   bash integration/test.sh                 what CI runs
#   bash integration/test.sh --all           the long scenarios and long fuzzing too
#   bash integration/test.sh --only PATTERN  one part (unit, threads, fuzz, scenarios), or the scenarios whose names match
#                                            (pytest -k; "and", "or" and "not" work)
#   bash integration/test.sh --seed N        repeats what was random in a run that printed this seed
#
# The last line is "N passed, N failed", with ", N skipped" where that is so. Exit code 0 when nothing failed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/say.sh"
. "$here/lib/build.sh"

all=0 only='' seed=$((RANDOM * 32768 + RANDOM + 1))
while [ $# -gt 0 ]; do
  case "$1" in
    --all) all=1; shift ;;
    --only) only=${2:?--only needs a pattern}; shift 2 ;;
    --seed) seed=${2:?--seed needs a number}; shift 2 ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 64 ;;
  esac
done

passed=0 failed=0 skipped=0

# wants PART: is this part to be run?
wants() {
  case "$only" in
    '' | "$1") return 0 ;;
    unit | threads | fuzz | scenarios) return 1 ;;
    *) [ "$1" = scenarios ] ;;
  esac
}

part() { say_step "$1"; part_begun=$(date +%s); }
part_done() { say "$1 passed, $2 failed (${3:+$3, }$(($(date +%s) - part_begun)) s)"; }

# run_tests PRESET: its test programs, counted case by case.
run_tests() {
  local directory=$build_root/build/$1 log sum_passed=0 sum_failed=0 good bad timeout=600
  if [ "$all" = 1 ]; then timeout=3000; fi
  log=$directory/tests.log
  build_preset "$1" || { failed=$((failed + 1)); return 0; }
  if ! ctest --test-dir "$directory" -j "$(nproc)" --verbose --timeout "$timeout" >"$log" 2>&1; then
    ctest --test-dir "$directory" --rerun-failed --output-on-failure --timeout "$timeout" 2>&1 | tail -n 60 | sed 's/^/    /' || true
  fi
  # A program that died told no numbers; it counts as one failure.
  sum_failed=$(grep -cE '\*\*\*(Exception|Timeout|Not Run)' "$log" || true)
  while read -r good bad; do
    sum_passed=$((sum_passed + good)) sum_failed=$((sum_failed + bad))
  done < <(sed -nE 's/.*\[doctest\] test cases: +[0-9]+ \| +([0-9]+) passed \| +([0-9]+) failed.*/\1 \2/p' "$log")
  if [ "$sum_passed" = 0 ]; then sum_failed=$((sum_failed + 1)); fi
  passed=$((passed + sum_passed)) failed=$((failed + sum_failed))
  part_done "$sum_passed" "$sum_failed"
}

# fuzz_one FUZZER SECONDS: its last words into CORPUS.log, its exit code into CORPUS.code.
fuzz_one() {
  local corpus=$build_root/build/fuzz/corpus/$(basename "$1") code=0
  mkdir -p "$corpus"
  "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -seed="$seed" -artifact_prefix="$corpus.found." "$corpus" \
    >"$corpus.log" 2>&1 || code=$?
  echo "$code" >"$corpus.code"
}

run_fuzzers() {
  local seconds=30 fuzzer name corpus
  if [ "$all" = 1 ]; then seconds=600; fi
  build_preset fuzz -- fuzzers || { failed=$((failed + 1)); return 0; }
  rm -f "$build_root"/build/fuzz/corpus/*.code
  for fuzzer in "$build_root"/build/fuzz/tests/fuzz_*; do
    [ -x "$fuzzer" ] || continue
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done  # each keeps one core busy
    fuzz_one "$fuzzer" "$seconds" &
  done
  wait
  for fuzzer in "$build_root"/build/fuzz/tests/fuzz_*; do
    [ -x "$fuzzer" ] || continue
    name=$(basename "$fuzzer")
    corpus=$build_root/build/fuzz/corpus/$name
    if [ "$(cat "$corpus.code" 2>/dev/null)" = 0 ]; then
      passed=$((passed + 1))
      say "$name: $(grep -oE 'Done [0-9]+ runs' "$corpus.log" || echo done)"
    else
      failed=$((failed + 1))
      show_file_end "$corpus.log" 40
      say_fail "$name failed"
    fi
  done
}

# attribute NAME FILE: a number from the head of pytest's report.
attribute() { grep -oE "$1=\"[0-9]+\"" "$2" | head -n 1 | tr -dc '0-9'; }

run_scenarios() {
  local report=$build_root/build/scenarios.xml bad
  local options=(--seed "$seed" --junitxml "$report")
  rm -f "$report"
  if [ "$all" = 1 ]; then options+=(--all); fi
  # Scenarios mostly wait: three at a time, each row of them with servers of its own.
  case "$only" in '' | scenarios) options+=(-n 3) ;; *) options+=(-k "$only") ;; esac
  (cd "$here/scenarios" && PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest "${options[@]}") || true
  if [ ! -s "$report" ]; then
    failed=$((failed + 1))
    return
  fi
  bad=$(($(attribute failures "$report") + $(attribute errors "$report")))
  failed=$((failed + bad))
  skipped=$((skipped + $(attribute skipped "$report")))
  passed=$((passed + $(attribute tests "$report") - bad - $(attribute skipped "$report")))
}

say "seed $seed (the same again: --seed $seed)"
say_step "Installing what is missing"
groups=(run test)
if wants fuzz; then groups+=(fuzz); fi
bash "$here/install.sh" "${groups[@]}"
export RELAY_SIM_SEED=${RELAY_SIM_SEED:-$seed} RELAY_SEED=${RELAY_SEED:-$seed}

if wants unit; then
  part "Unit and simulation tests, with the address and undefined-behaviour sanitizers"
  if [ "$all" = 1 ]; then export RELAY_POLICY_DOCUMENTS=1000000; fi
  run_tests asan
  unset RELAY_POLICY_DOCUMENTS
fi
if wants threads; then
  part "The same with the thread sanitizer"
  run_tests tsan
fi
if wants fuzz; then
  part "Fuzzing the parsers of foreign bytes"
  run_fuzzers
fi
if wants scenarios; then
  part "The release binary"
  if build_preset release -- outbox-relay; then
    part "Scenarios against a real PostgreSQL and a real Kafka"
    run_scenarios
  else
    failed=$((failed + 1))
  fi
fi

say_step "All parts"
printf '%d passed, %d failed' "$passed" "$failed"
if [ "$skipped" -gt 0 ]; then printf ', %d skipped' "$skipped"; fi
printf '\n'
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
