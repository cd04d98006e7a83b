#!/usr/bin/env bash
# A throwaway PostgreSQL and a real Kafka (one broker) on free loopback ports, in one directory.
#
#   bash integration/lib/servers.sh up DIR [OPTION]...       both; then prints how to reach them
#   bash integration/lib/servers.sh down DIR                 stops both and removes DIR
#   bash integration/lib/servers.sh postgres-start|kafka-start DIR [OPTION]...
#   bash integration/lib/servers.sh postgres-stop|kafka-stop DIR [fast|immediate]
#   bash integration/lib/servers.sh show DIR
#
#   --owner PID          stop the servers when this process is gone, however it went (default: nobody, they stay)
#   --postgres KEY=VALUE  a line of postgresql.conf; only at the first start
#   --kafka KEY=VALUE     a line of server.properties; only at the first start
#   --sasl               a broker with a second listener for TLS, SASL (SCRAM, PLAIN, OAUTHBEARER with unsigned tokens) and
#                        access control lists; user relay, password in DIR/kafka/password; an older Kafka, see java/pom.xml
#   --tls                 PostgreSQL with TLS; certificate in DIR/tls
#   --major N             another PostgreSQL than Debian's 15; see lib/postgres.sh
#
# DIR/postgres/{port,url,log,data} and DIR/kafka/{port,log,data}, with --sasl also DIR/kafka/sasl_port. A server that was
# stopped or killed is started again on the same port with the same data by the same command.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/say.sh"
. "$(dirname "${BASH_SOURCE[0]}")/java.sh"
. "$(dirname "${BASH_SOURCE[0]}")/postgres.sh"

# PostgreSQL refuses to run as root; Debian's package brings a user for it.
as_server_user() {
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi
}

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range from which the kernel takes ports for outgoing connections.
free_port() {
  local port
  while :; do
    port=$((12000 + (RANDOM * 32768 + RANDOM) % 20000))
    port_is_taken "$port" || break
  done
  echo "$port"
}

random_word() { od -An -N12 -tx1 /dev/urandom | tr -d ' \n'; }

# When a process began, in REPLY; tells it from a later one with the same number. Empty when there is none.
began() {
  local stat fields
  REPLY=''
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  read -r -a fields <<<"${stat##*) }"
  REPLY=${fields[19]}
}

# wait_until_gone OWNER DIR: until one of the two is. Looks once a second without starting a process for it.
wait_until_gone() {
  local begin quiet
  began "$1"
  begin=$REPLY
  exec {quiet}<> <(:)
  while [ -n "$REPLY" ] && [ "$REPLY" = "$begin" ] && [ -d "$2" ]; do
    read -r -t 1 -u "$quiet" || true
    began "$1"
  done
}

# watch_owner OWNER DIR: ends the servers when the process OWNER is gone. A process of its own, in a session of its own, so
# that no signal for the owner's group reaches it. Holds no file of its caller.
watch_owner() {
  [ "$1" != 0 ] || return 0
  setsid bash "${BASH_SOURCE[0]}" down-after "$2" "$1" </dev/null >/dev/null 2>&1 &
}

# ---- PostgreSQL

# postgres_create DIR MAJOR SETTING...
postgres_create() {
  local dir=$1/postgres major=$2
  shift 2
  mkdir -p "$dir"
  chmod 711 "$dir"
  postgres_programs "$major" "$dir" >"$dir/bin"
  free_port >"$dir/port"
  random_word >"$dir/password"
  mkdir "$dir/data" "$dir/socket"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$dir/data" "$dir/socket" "$dir/password"; fi
  as_server_user "$(cat "$dir/bin")/initdb" --no-sync -U postgres --pwfile="$dir/password" \
    --auth=scram-sha-256 --locale=C.UTF-8 -E UTF8 -D "$dir/data" >"$dir/initdb.log" 2>&1 ||
    { show_file_end "$dir/initdb.log"; die "initdb failed"; }
  {
    echo "listen_addresses = '127.0.0.1'"
    echo "port = $(cat "$dir/port")"
    echo "unix_socket_directories = '$dir/socket'"
    echo "wal_level = logical"
    echo "max_wal_senders = 40"
    echo "max_replication_slots = 60"
    echo "max_prepared_transactions = 10"
    echo "log_line_prefix = '%m [%p] %d '"
    printf '%s\n' "$@"
  } | as_server_user tee -a "$dir/data/postgresql.conf" >/dev/null
  echo "postgresql://postgres:$(cat "$dir/password")@127.0.0.1:$(cat "$dir/port")" >"$dir/url"
}

postgres_enable_tls() {
  local dir=$1/postgres
  make_certificate "$1/tls"
  install -m 600 "$1/tls/server.key" "$dir/data/server.key"
  install -m 644 "$1/tls/server.crt" "$dir/data/server.crt"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$dir/data/server.key" "$dir/data/server.crt"; fi
  printf '%s\n' "ssl = on" | as_server_user tee -a "$dir/data/postgresql.conf" >/dev/null
}

postgres_start() {
  local dir=$1/postgres
  (cd "$dir" && as_server_user "$(cat "$dir/bin")/pg_ctl" start -w -t 60 -s -D "$dir/data" -l "$dir/data/log") \
    </dev/null >"$dir/pg_ctl.log" 2>&1 ||
    { show_file_end "$dir/pg_ctl.log"; show_file_end "$dir/data/log"; die "PostgreSQL did not start"; }
  ln -sf data/log "$dir/log"
}

postgres_stop() {
  local dir=$1/postgres
  [ -f "$dir/data/postmaster.pid" ] || return 0
  (cd "$dir" && as_server_user "$(cat "$dir/bin")/pg_ctl" stop -w -t 60 -s -m "${2:-immediate}" -D "$dir/data") \
    </dev/null >"$dir/pg_ctl.log" 2>&1 || [ ! -f "$dir/data/postmaster.pid" ] ||
    { show_file_end "$dir/pg_ctl.log"; return 1; }
}

# ---- TLS

# A certificate authority and one certificate for 127.0.0.1 and localhost.
make_certificate() {
  local dir=$1
  [ ! -d "$dir" ] || return 0
  mkdir -p "$dir"
  {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=throwaway authority' \
      -keyout "$dir/ca.key" -out "$dir/ca.crt"
    openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout "$dir/server.key" -out "$dir/server.csr"
    openssl x509 -req -in "$dir/server.csr" -days 30 -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial \
      -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') -out "$dir/server.crt"
  } >"$dir/log" 2>&1 || { show_file_end "$dir/log"; die "openssl failed"; }
  cat "$dir/server.key" "$dir/server.crt" >"$dir/server.pem"
}

# ---- Kafka

# kafka_java DIR WORD...: with the jars of the version that DIR was made for.
kafka_java() {
  local version
  version=$(cat "$1/kafka/version")
  shift
  exec java -Xshare:auto -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
    -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS -cp "$(java_class_path "$version")" "$@"
}

# kafka_create DIR SASL PROPERTY...
kafka_create() {
  local root=$1 dir=$1/kafka sasl=$2 port controller scram=()
  shift 2
  mkdir -p "$dir"
  if [ "$sasl" = 1 ]; then echo "$java_scram_kafka_version"; else echo "$java_kafka_version"; fi >"$dir/version"
  free_port >"$dir/port"
  port=$(cat "$dir/port")
  controller=$(free_port)
  {
    echo "node.id=1"
    echo "process.roles=broker,controller"
    if [ "$sasl" = 1 ]; then
      kafka_sasl_properties "$root" "$port" "$controller"
    else
      echo "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller"
    fi
    echo "controller.listener.names=CONTROLLER"
    echo "controller.quorum.bootstrap.servers=127.0.0.1:$controller"
    echo "log.dirs=$dir/data"
    # One broker, little memory, no waiting for group members that will not come.
    echo "offsets.topic.replication.factor=1"
    echo "offsets.topic.num.partitions=1"
    echo "transaction.state.log.replication.factor=1"
    echo "transaction.state.log.min.isr=1"
    echo "transaction.state.log.num.partitions=4"
    echo "group.initial.rebalance.delay.ms=0"
    echo "log.cleaner.dedupe.buffer.size=8388608"
    printf '%s\n' "$@"
  } >"$dir/server.properties"
  if [ "$sasl" = 1 ]; then
    scram=(--add-scram "SCRAM-SHA-512=[name=relay,password=$(cat "$dir/password")]")
  fi
  (kafka_java "$root" -Xmx256m -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format --standalone \
    -t "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | cut -c1-22)" -c "$dir/server.properties" "${scram[@]}") \
    </dev/null >"$dir/format.log" 2>&1 || { show_file_end "$dir/format.log"; die "Kafka's storage could not be formatted"; }
}

# Over the plain listener everybody is super user ANONYMOUS; over SASL the user relay may do what it is granted.
kafka_sasl_properties() {
  local dir=$1 port=$2 controller=$3 sasl_port
  make_certificate "$dir/tls"
  free_port >"$dir/kafka/sasl_port"
  sasl_port=$(cat "$dir/kafka/sasl_port")
  random_word >"$dir/kafka/password"
  cat <<PROPERTIES
listeners=PLAINTEXT://127.0.0.1:$port,SECURE://127.0.0.1:$sasl_port,CONTROLLER://127.0.0.1:$controller
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN,OAUTHBEARER
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_relay="$(cat "$dir/kafka/password")";
listener.name.secure.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.crt
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
PROPERTIES
}

kafka_is_running() {
  [ -s "$1/kafka/pid" ] && kill -0 "$(cat "$1/kafka/pid")" 2>/dev/null
}

kafka_start() {
  local dir=$1/kafka tries=0
  if kafka_is_running "$1"; then return; fi
  (kafka_java "$1" -Xms256m -Xmx512m kafka.Kafka "$dir/server.properties") </dev/null >>"$dir/log" 2>&1 &
  echo $! >"$dir/pid"
  until port_is_taken "$(cat "$dir/port")"; do
    sleep 0.1
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kafka_is_running "$1"; then show_file_end "$dir/log"; die "Kafka did not start"; fi
  done
}

# kafka_stop DIR [fast]: kill -9, unless it is to stop in order.
kafka_stop() {
  local dir=$1/kafka signal=KILL pid tries=0
  kafka_is_running "$1" || return 0
  if [ "${2:-immediate}" = fast ]; then signal=TERM; fi
  pid=$(cat "$dir/pid")
  kill -"$signal" "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 300 ]; do sleep 0.05; tries=$((tries + 1)); done
  rm -f "$dir/pid"
}

# ---- both

# kafka_up DIR SASL PROPERTY...
kafka_up() {
  [ -d "$1/kafka/data" ] || kafka_create "$@"
  kafka_start "$1"
}

# postgres_up DIR MAJOR TLS SETTING...
postgres_up() {
  local dir=$1 major=$2 tls=$3
  shift 3
  if [ ! -d "$dir/postgres/data" ]; then
    postgres_create "$dir" "$major" "$@"
    if [ "$tls" = 1 ]; then postgres_enable_tls "$dir"; fi
  fi
  postgres_start "$dir"
}

servers_down() {
  kafka_stop "$1"
  postgres_stop "$1" immediate || true
  rm -rf "$1"
}

servers_show() {
  if [ -s "$1/postgres/url" ]; then echo "export DATABASE_URL=$(cat "$1/postgres/url")/postgres"; fi
  if [ -s "$1/kafka/port" ]; then echo "export BOOTSTRAP_SERVERS=127.0.0.1:$(cat "$1/kafka/port")"; fi
}

servers_main() {
  [ $# -ge 2 ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 64; }
  local command=$1 dir owner=0 sasl=0 tls=0 major=$postgres_debian_major postgres_settings=() kafka_settings=()
  dir=$(mkdir -p "$2" && cd "$2" && pwd)
  shift 2
  case "$command" in
    postgres-stop) postgres_stop "$dir" "$@"; return ;;
    kafka-stop) kafka_stop "$dir" "$@"; return ;;
    show) servers_show "$dir"; return ;;
    down) servers_down "$dir"; return ;;
    down-after) wait_until_gone "$1" "$dir"; servers_down "$dir"; return ;;
  esac
  while [ $# -gt 0 ]; do
    case "$1" in
      --owner) owner=$2; shift 2 ;;
      --postgres) postgres_settings+=("$2"); shift 2 ;;
      --kafka) kafka_settings+=("$2"); shift 2 ;;
      --sasl) sasl=1; shift ;;
      --tls) tls=1; shift ;;
      --major) major=$2; shift 2 ;;
      *) die "servers.sh: unknown option '$1'" ;;
    esac
  done
  chmod 711 "$dir"
  # Before anything is started: whatever goes wrong from here on, nothing is left behind.
  watch_owner "$owner" "$dir"
  case "$command" in
    up)
      kafka_up "$dir" "$sasl" "${kafka_settings[@]}" &
      local kafka=$!
      postgres_up "$dir" "$major" "$tls" "${postgres_settings[@]}"
      wait "$kafka"
      servers_show "$dir"
      ;;
    kafka-start) kafka_up "$dir" "$sasl" "${kafka_settings[@]}" ;;
    postgres-start) postgres_up "$dir" "$major" "$tls" "${postgres_settings[@]}" ;;
    *) die "servers.sh: unknown command '$command'" ;;
  esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then servers_main "$@"; fi
