#!/usr/bin/env bash
# Shows events as they arrive at the broker that BOOTSTRAP_SERVERS names, by Apache's own Java client. Options as in
# integration/java/Watch.java, for example: bash integration/lib/watch.sh --from start
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/say.sh"
. "$(dirname "${BASH_SOURCE[0]}")/java.sh"
audit watch --bootstrap "${BOOTSTRAP_SERVERS:?set BOOTSTRAP_SERVERS first}" "$@"
