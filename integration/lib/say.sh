# What the scripts say: step headings with the seconds since the start, and one way to stop.
# Sourced, never run.

# A script that was started by another one goes on with the clock of the first.
: "${RELAY_SAY_START:=$(date +%s)}"
export RELAY_SAY_START
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  say_bold=$'\e[1m' say_dim=$'\e[2m' say_red=$'\e[31m' say_green=$'\e[32m' say_off=$'\e[0m'
else
  say_bold='' say_dim='' say_red='' say_green='' say_off=''
fi

say_elapsed() { printf '%d' $(($(date +%s) - RELAY_SAY_START)); }
say_step() { printf '\n%s[%3d s] %s%s\n' "$say_bold" "$(say_elapsed)" "$*" "$say_off"; }
say() { printf '        %s\n' "$*"; }
say_quietly() { printf '%s        %s%s\n' "$say_dim" "$*" "$say_off"; }
say_fail() { printf '\n%s[%3d s] %s%s\n' "$say_red" "$(say_elapsed)" "$*" "$say_off" >&2; }
die() { say_fail "$@"; exit 1; }

# show_file_end FILE [LINES]: the end of a log, indented, for the person who has to find out.
show_file_end() {
  [ -s "$1" ] || return 0
  printf '%s--- the end of %s\n' "$say_dim" "$1" >&2
  tail -n "${2:-25}" "$1" | sed 's/^/    /' >&2
  printf -- '---%s\n' "$say_off" >&2
}
