#!/usr/bin/env bash
# Installs what is missing, and only that, on a Debian 12 that has nothing but bash and apt. As root, or as a user with
# sudo. When everything is there it asks nobody anything and is done at once.
#
#   bash integration/install.sh [run|test|fuzz]...
#
#   run    build the relay, run PostgreSQL and Kafka (default)
#   test   what the tests need on top
#   fuzz   clang with libFuzzer, on top
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/say.sh"
. "$here/lib/java.sh"
. "$here/lib/postgres.sh"

packages_run=(
  g++ cmake ninja-build pkgconf
  libpqxx-dev libpq-dev librdkafka-dev libcurl4-openssl-dev libyaml-cpp-dev libspdlog-dev libfmt-dev libcli11-dev libexpected-dev
  nlohmann-json3-dev libsimdjson-dev libssl-dev libre2-dev
  postgresql-15 openjdk-17-jre-headless ca-certificates-java maven
)
packages_test=(doctest-dev ccache python3-pytest python3-pytest-xdist python3-pytest-timeout python3-psycopg2 python3-pip openssl xz-utils
  python3-django alembic ruby-activerecord ruby-pg pgbouncer)
packages_fuzz=(clang libclang-rt-14-dev)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# missing_packages NAME...: those that are not fully installed.
missing_packages() {
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    awk -v wanted="$*" '
      $1 == "installed" { have[$2] = 1 }
      END { n = split(wanted, name, " "); for (i = 1; i <= n; i++) if (!(name[i] in have)) print name[i] }' || true
}

# apt's machine-readable status lines ("pmstatus:package:percent:text") as one moving line, or as a few lines when nobody
# watches.
show_apt_progress() {
  local kind subject percent text shown=-100 whole
  while IFS=: read -r kind subject percent text; do
    whole=${percent%%.*}
    case "$kind" in dlstatus) kind=downloading ;; pmstatus) kind=installing ;; *) continue ;; esac
    if [ -t 1 ]; then
      printf '\r\e[K        %s %3d %%  %.60s' "$kind" "$whole" "$text"
    elif [ "$whole" -lt "$shown" ] || [ "$whole" -ge $((shown + 25)) ]; then
      shown=$whole
      say "$kind $whole %"
    fi
  done
  if [ -t 1 ]; then printf '\r\e[K'; fi
}

# apt_get LOG WORD...: status lines to our standard output, everything else to the file. The redirections happen on the
# far side of sudo, which closes what it does not know.
apt_get() {
  local log=$1
  shift
  as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C bash -c 'log=$1; shift; exec "$@" 3>&1 >>"$log" 2>&1' bash "$log" \
    apt-get -y -o APT::Status-Fd=3 -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Use-Pty=0 "$@"
}

# Debian makes and starts a database cluster when a server is installed. We bring our own, throwaway one, so the system is
# asked not to, for as long as our installation takes.
no_system_cluster=/etc/postgresql-common/createcluster.d/outbox-relay.conf
forbid_system_cluster() {
  as_root mkdir -p "${no_system_cluster%/*}"
  echo 'create_main_cluster = false' | as_root tee "$no_system_cluster" >/dev/null
}
allow_system_cluster() { as_root rm -f "$no_system_cluster"; }

install_packages() {
  local missing log
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} = 0 ]; then
    say "all ${#} Debian packages are there"
    return
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "These packages are missing and neither root nor sudo is at hand: ${missing[*]}"
  fi
  say "installing ${#missing[@]} of $# Debian packages and what they need: ${missing[*]}"
  log=$(mktemp)
  apt_get "$log" update | show_apt_progress || { show_file_end "$log"; die "apt-get update failed"; }
  forbid_system_cluster
  trap allow_system_cluster EXIT
  apt_get "$log" install --no-install-recommends "${missing[@]}" | show_apt_progress ||
    { show_file_end "$log"; die "apt-get install failed"; }
  allow_system_cluster
  trap - EXIT
  rm -f "$log"
}

main() {
  local group major wanted=()
  for group in "${@:-run}"; do
    case "$group" in
      run) wanted+=("${packages_run[@]}") ;;
      test) wanted+=("${packages_test[@]}") ;;
      fuzz) wanted+=("${packages_fuzz[@]}") ;;
      *) die "install.sh: unknown group '$group' (run, test, fuzz)" ;;
    esac
  done
  install_packages "${wanted[@]}"
  java_install
  case " $* " in
    *" test "*)
      java_fetch_jars "$java_scram_kafka_version"
      java_fetch_migrations
      for major in "${!postgres_versions[@]}"; do postgres_fetch "$major"; done
      ;;
  esac
}

main "$@"
