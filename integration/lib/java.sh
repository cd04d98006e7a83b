# The jars of Kafka and the compiled audit programs, in a cache outside the checkout. Sourced, never run. Needs say.sh.

java_sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/../java" && pwd)
java_cache=${OUTBOX_RELAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/outbox-relay}
java_kafka_version=$(sed -n 's/.*<kafka.version>\(.*\)<.*/\1/p' "$java_sources/pom.xml")
java_scram_kafka_version=$(sed -n 's/.*<kafka.scram.version>\(.*\)<.*/\1/p' "$java_sources/pom.xml")
# The contents of the inputs name the folders, so that a new version is fetched or compiled again by itself.
java_jars_of() { printf '%s' "$java_cache/kafka-$1-$(sha256sum <"$java_sources/pom.xml" | cut -c1-8)"; }
java_jars=$(java_jars_of "$java_kafka_version")
java_classes=$java_cache/audit-$(cat "$java_sources"/*.java "$java_sources/pom.xml" | sha256sum | cut -c1-8)
java_maven_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1

# java_class_path [VERSION]: of the broker and the client.
java_class_path() {
  local jars=("$(java_jars_of "${1:-$java_kafka_version}")"/*.jar)
  (IFS=:; printf '%s' "${jars[*]}")
}

# java_fetch_jars VERSION
java_fetch_jars() {
  local jars part
  jars=$(java_jars_of "$1")
  part=$jars.part.$$
  [ -d "$jars" ] && return
  say "fetching the jars of Kafka $1 through Maven (about 45 MB, once)"
  mkdir -p "$part"
  if ! mvn -q -B -f "$java_sources/pom.xml" -Dkafka.version="$1" -Dmaven.repo.local="$part/repository" \
    "$java_maven_plugin:copy-dependencies" -DincludeScope=runtime -DoutputDirectory="$part/jars" >"$part/log" 2>&1; then
    show_file_end "$part/log"
    die "Maven could not fetch Kafka $1"
  fi
  mv "$part/jars" "$jars"
  rm -rf "$part"
}

java_compile() {
  [ -d "$java_classes" ] && return
  local part=$java_classes.part.$$
  say "compiling the audit consumer"
  mkdir -p "$part"
  # The compiler is a module of the runtime environment; a development kit is not needed.
  if ! java -m jdk.compiler/com.sun.tools.javac.Main -Xlint:all -nowarn -d "$part" -cp "$(java_class_path)" \
    "$java_sources"/*.java >"$part.log" 2>&1; then
    show_file_end "$part.log"
    die "the audit consumer did not compile"
  fi
  rm -f "$part.log"
  mv "$part" "$java_classes"
}

# The migration tools that the scenarios run: jars and a program of ours that calls them.
java_migrations=$java_cache/migrations-$(cat "$java_sources"/migrations/* | sha256sum | cut -c1-8)
java_fetch_migrations() {
  [ -d "$java_migrations" ] && return
  local part=$java_migrations.part.$$ jars=()
  say "fetching Flyway and Liquibase through Maven (about 10 MB, once)"
  mkdir -p "$part"
  if ! mvn -q -B -f "$java_sources/migrations/pom.xml" -Dmaven.repo.local="$part.repository" \
    "$java_maven_plugin:copy-dependencies" -DincludeScope=runtime -DoutputDirectory="$part" >"$part.log" 2>&1; then
    show_file_end "$part.log"
    die "Maven could not fetch the migration tools"
  fi
  jars=("$part"/*.jar)
  if ! java -m jdk.compiler/com.sun.tools.javac.Main -nowarn -d "$part" -cp "$(IFS=:; printf '%s' "${jars[*]}")" \
    "$java_sources/migrations/Migrations.java" >"$part.log" 2>&1; then
    show_file_end "$part.log"
    die "the program that calls the migration tools did not compile"
  fi
  rm -rf "$part.log" "$part.repository"
  mv "$part" "$java_migrations"
}

java_install() {
  mkdir -p "$java_cache"
  java_fetch_jars "$java_kafka_version"
  java_compile
}

# audit ARGUMENTS...: the independent consumer (integration/java/Audit.java).
audit() {
  java -Xshare:auto -XX:+UseSerialGC -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
    -cp "$java_classes:$(java_class_path)" Audit "$@"
}
