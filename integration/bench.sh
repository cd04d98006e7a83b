#!/usr/bin/env bash
# What the relay does per second, what that costs, and how long an event takes, measured against PostgreSQL's own tools on
# the same rows in the same minutes. Installs what is missing, builds the release binary, starts throwaway servers.
#
#   bash integration/bench.sh [OPTION]...
#
#   --quick          fewer rows and runs: about five minutes instead of three quarters of an hour
#   --only PART      drain, pipelines, large, policy, latency, triggers or capture; may be given several times (default: all)
#   --rows N         rows of the drain (default 1000000, with --quick 300000)
#   --runs N         runs of each measurement (default 5 of the drain, 3 of the others; with --quick 2 and 1)
#   --json FILE      every number, also those of the single runs
#   --profile        where the processor time of a drain goes, by perf; measures nothing else unless --only says so
#   --binary FILE    another outbox-relay, instead of building this one
#   --keep           keep the directory with configurations and logs
#
# Exit code 0 when everything was delivered exactly once, whatever the numbers are. integration/bench/README.md explains them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/say.sh"
. "$here/lib/build.sh"

binary=
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    --binary) binary=$(realpath "${2:?--binary needs a file}"); shift 2 ;;
    *) arguments+=("$1"); shift ;;
  esac
done

say_step "Installing what is missing"
bash "$here/install.sh" run test
. "$here/lib/java.sh"

if [ -z "$binary" ]; then
  say_step "Building outbox-relay"
  build_preset release -- outbox-relay
  binary=$relay_binary
fi

# Debian's own Python: the one that Debian's psycopg2 was made for.
exec /usr/bin/python3 -B "$here/bench" --binary "$binary" --class-path "$java_classes:$(java_class_path)" \
  --kafka-version "$java_kafka_version" "${arguments[@]}"
