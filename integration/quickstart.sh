#!/usr/bin/env bash
# From a bare Debian 12 to a database's rows in Kafka, exactly once: installs what is missing, builds the relay, starts a
# throwaway PostgreSQL and a real Kafka, lets a small shop take orders, kills the relay on the way, and counts. A second
# pipeline gives analytics the same orders without what is nobody else's business.
#
#   bash integration/quickstart.sh            everything is gone when it ends
#   bash integration/quickstart.sh --keep     everything goes on running, to play with
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/say.sh"
. "$here/lib/build.sh"

keep=0
case "${1:-}" in
  '') ;;
  --keep) keep=1 ;;
  *) echo "usage: bash integration/quickstart.sh [--keep]" >&2; exit 64 ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/outbox-relay.XXXXXX")
config=$work/outbox-relay.yaml
watcher=

# What is started here ends with this script, however that ends; with --keep only when asked. Only for the background.
child() {
  if [ "$keep" = 1 ]; then exec setsid "$@"; else exec setpriv --pdeathsig KILL -- "$@"; fi
}

finish() {
  local code=$?
  trap - EXIT INT TERM
  kill $watcher 2>/dev/null || true
  if [ "$keep" = 1 ] && [ "$code" = 0 ]; then return; fi
  if [ "$code" != 0 ]; then show_file_end "$work/relay.log" 30; fi
  stop_relay KILL
  bash "$here/lib/servers.sh" down "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

sql() { psql -X -q -v ON_ERROR_STOP=1 -At -d "$DATABASE_URL" "$@"; }

# wait_for_log PATTERN [TIMES]: until the relay has said it so often.
wait_for_log() {
  local tries=0
  until [ "$(grep -cE "$1" "$work/relay.log")" -ge "${2:-1}" ]; do
    sleep 0.1
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || die "the relay did not say $1"
  done
}

start_relay() {
  child "$relay_binary" run -c "$config" </dev/null >>"$work/relay.log" 2>&1 &
  echo $! >"$work/relay.pid"
}

# stop_relay SIGNAL: and waits until it is gone; its exit code.
stop_relay() {
  local pid
  [ -s "$work/relay.pid" ] || return 0
  pid=$(cat "$work/relay.pid")
  rm -f "$work/relay.pid"
  kill -"$1" "$pid" 2>/dev/null || return 0
  wait "$pid" 2>/dev/null
}

# Says what the broker holds: {"records": ..., "unique": ..., ...}
count_events() {
  audit count --bootstrap "$BOOTSTRAP_SERVERS" --order-field n --format tsv --out "$work/delivered.tsv" "$@"
}
number_of() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$2"; }

say_step "Installing what is missing"
bash "$here/install.sh" run
. "$here/lib/java.sh"

say_step "Building outbox-relay"
build_preset release -- outbox-relay
say "$relay_binary"

say_step "Starting PostgreSQL 15 and Kafka $java_kafka_version"
owner=$$
if [ "$keep" = 1 ]; then owner=0; fi
bash "$here/lib/servers.sh" up "$work" --owner "$owner" >"$work/environment" || exit 1
. "$work/environment"
sql -c 'CREATE DATABASE shop'
export DATABASE_URL=${DATABASE_URL%/postgres}/shop
echo "export DATABASE_URL=$DATABASE_URL" >>"$work/environment"
say "in $work, on loopback ports of their own"

say_step "A shop with an outbox"
sql -f "$here/shop/schema.sql"
pgbench=/usr/lib/postgresql/15/bin/pgbench
"$pgbench" -n -c 4 -t 75 -f "$here/shop/order.sql" "$DATABASE_URL" >"$work/pgbench.log" 2>&1
say "It has taken $(sql -c 'SELECT count(*) FROM orders') orders before anybody relayed anything:"
say "$(sql -c 'SELECT count(*) FROM outbox') rows are in its outbox."

say_step "The relay, with this configuration"
cp "$here/shop/outbox-relay.yaml" "$config"
mkdir -p "$work/policies/keys"
cp "$build_root/config/policies/analytics.yaml" "$work/policies/"
(umask 077 && openssl rand -base64 32 >"$work/policies/keys/pii_2026")
sed 's/^/        | /' "$config"

say_step "See before you send: what its policy lets leave to analytics (config/policies/analytics.yaml explains it)"
"$relay_binary" policy preview -c "$config" --pipeline analytics --rows 1 | sed 's/^/        /'
: >"$work/watched"  # so that it is there for tail
child java -Xshare:auto -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
  -cp "$java_classes:$(java_class_path)" Audit watch --bootstrap "$BOOTSTRAP_SERVERS" --from start --pause 800 \
  --indent '        ' >>"$work/watched" 2>&1 &
watcher=$!
start_relay

say_step "What a plain consumer sees: first the rows that were there"
tail -n +1 --pid="$watcher" -s 0.2 -f "$work/watched" &
wait_for_log '"initial_rows_delivered".*"pipeline":"payments"'
until [ -s "$work/watched" ]; do sleep 0.1; done
sleep 1

say_step "Orders are placed with plain SQL, by four sessions; their events follow"
"$pgbench" -n -c 4 -R 300 -T 10 -f "$here/shop/order.sql" "$DATABASE_URL" >"$work/pgbench.log" 2>&1 &
load=$!
for round in 1 2 3; do
  sleep 1.$((RANDOM % 10))
  stop_relay KILL || true
  say_step "kill -9 of the relay, number $round; it starts again"
  start_relay
  wait_for_log '"event":"started".*"pipeline":"payments"' $((round + 1))
done
wait "$load" || { show_file_end "$work/pgbench.log"; die "pgbench failed"; }

say_step "No more orders; waiting for the last event"
committed=$(sql -c 'SELECT count(*) FROM outbox')
summary=$(count_events --expect "$committed" --settle 1500 --timeout 60)
analytics=$(audit count --bootstrap "$BOOTSTRAP_SERVERS" --topics 'analytics\..*' --expect "$committed" --settle 500 --timeout 60 \
  --format json --out "$work/analytics.json")
kill "$watcher" 2>/dev/null || true
wait "$watcher" 2>/dev/null || true
watcher=
if [ "$keep" = 0 ]; then
  stop_relay TERM || die "the relay did not end in order"
fi

say_step "The count, by a consumer that is not ours"
sql -c 'SELECT id FROM outbox' | LC_ALL=C sort >"$work/committed"
cut -f1 "$work/delivered.tsv" | LC_ALL=C sort -u >"$work/delivered"
lost=$(LC_ALL=C comm -23 "$work/committed" "$work/delivered" | wc -l)
invented=$(LC_ALL=C comm -13 "$work/committed" "$work/delivered" | wc -l)
duplicates=$(number_of duplicates "$summary")
misplaced=$(number_of out_of_order "$summary")
missing=$(number_of sequence_missing "$summary")
printf '\n'
printf '        %-44s %8s\n' \
  'committed by the shop' "$committed" 'delivered by the relay, killed three times' "$(wc -l <"$work/delivered")" \
  'duplicates' "$duplicates" 'lost' "$lost" 'rolled back, yet delivered' "$invented" 'out of order within their key' "$misplaced" \
  'holes in the sequence numbers' "$missing"
personal="customer[0-9]+@|Customer [0-9]|\\+49 170|203\\.0\\.113\\.[1-9]"
leaked=$(grep -cE "$personal" "$work/analytics.json" || true)
printf '        %-44s %8s\n' 'delivered to analytics, scrubbed' "$(number_of unique "$analytics")" \
  'with a name, address or number of a customer' "$leaked"
printf '\n'
[ "$leaked" = 0 ] && [ "$(number_of unique "$analytics")" = "$committed" ] || die "Analytics got something else than it should."
[ "$committed" -gt 0 ] && [ "$lost$invented$duplicates$misplaced$missing" = 00000 ] || die "This is not exactly once."
say "${say_green}Exactly once.$say_off ($(say_elapsed) s in all)"

if [ "$keep" = 1 ]; then
  cat <<KEEP

        Everything goes on running. To play with it:
          . $work/environment                     # DATABASE_URL, BOOTSTRAP_SERVERS
          psql "\$DATABASE_URL"                    # INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', '1', 'Hello', '{}');
          bash $here/lib/watch.sh                 # see the events arrive
          $config   # the configuration; the log is beside it: relay.log
        To end it:
          kill \$(cat $work/relay.pid); bash $here/lib/servers.sh down $work
KEEP
fi
