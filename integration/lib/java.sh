# The jars of Kafka and the compiled audit programs, in a cache outside the checkout. Sourced, never run. Needs say.sh.

java_sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/../java" && pwd)
java_cache=${OUTBOX_RELAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/outbox-relay}
java_kafka_version=$(sed -n '/<artifactId>kafka_2.13</{n;s/.*<version>\(.*\)<.*/\1/p}' "$java_sources/pom.xml")
# The contents of the inputs name the folders, so that a new version is fetched or compiled again by itself.
java_jars=$java_cache/kafka-$java_kafka_version-$(sha256sum <"$java_sources/pom.xml" | cut -c1-8)
java_classes=$java_cache/audit-$(cat "$java_sources"/*.java "$java_sources/pom.xml" | sha256sum | cut -c1-8)
java_maven_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1

# Class path of the broker, in a stable order: a shared class archive is only good for the very same one.
java_class_path() {
  local jars=("$java_jars"/*.jar)
  (IFS=:; printf '%s' "${jars[*]}")
}

java_fetch_jars() {
  [ -d "$java_jars" ] && return
  local part=$java_jars.part.$$
  say "fetching the jars of Kafka $java_kafka_version through Maven (43 MB, once)"
  mkdir -p "$part"
  if ! mvn -q -B -f "$java_sources/pom.xml" -Dmaven.repo.local="$part/repository" \
    "$java_maven_plugin:copy-dependencies" -DincludeScope=runtime -DoutputDirectory="$part/jars" >"$part/log" 2>&1; then
    show_file_end "$part/log"
    die "Maven could not fetch Kafka $java_kafka_version"
  fi
  mv "$part/jars" "$java_jars"
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

java_install() {
  mkdir -p "$java_cache"
  java_fetch_jars
  java_compile
}

# audit ARGUMENTS...: the independent consumer (integration/java/Audit.java).
audit() {
  java -Xshare:auto -XX:+UseSerialGC -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
    -cp "$java_classes:$(java_class_path)" Audit "$@"
}
