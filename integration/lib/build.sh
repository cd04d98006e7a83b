# Building with the presets of CMakePresets.json, with progress a person can follow. Sourced, never run. Needs say.sh.

build_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Ninja's "[12/80] ..." lines as one moving line, or as a few lines when nobody watches. Everything goes to the file.
show_build_progress() {
  local line done_ total shown=0
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$1"
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    done_=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
    if [ -t 1 ]; then
      printf '\r\e[K        %d of %d steps' "$done_" "$total"
    elif [ $((done_ * 4 / total)) -gt "$shown" ]; then
      shown=$((done_ * 4 / total))
      say "$done_ of $total steps"
    fi
  done
  if [ -t 1 ]; then printf '\r\e[K'; fi
}

# build_preset PRESET [CMAKE OPTION...] [-- TARGET...]
build_preset() {
  local preset=$1 options=() log
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
  if [ $# -gt 0 ]; then shift; fi
  log=$build_root/build/$preset.log
  mkdir -p "$build_root/build"
  : >"$log"
  if ! (cd "$build_root" && cmake --preset "$preset" "${options[@]}") >>"$log" 2>&1; then
    show_file_end "$log" 40
    say_fail "cmake --preset $preset failed"
    return 1
  fi
  if ! ninja -C "$build_root/build/$preset" -j "$(nproc)" "$@" 2>&1 | show_build_progress "$log"; then
    show_file_end "$log" 60
    say_fail "the $preset build failed"
    return 1
  fi
}

relay_binary=$build_root/build/release/relay/app/outbox-relay
