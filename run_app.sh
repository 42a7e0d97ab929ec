#!/usr/bin/env bash
# Set Elute up where it is not yet, and run the command given, such as ./run_app.sh build; without
# one, serve: web app, worker and database, until Ctrl-C.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/setup.sh
. "$checkout/scripts/setup.sh"

find_home
set_up "$ELUTE_HOME/venv" requirements.txt

[ $# -gt 0 ] || set -- serve
exec "$ELUTE_HOME/venv/bin/elute" "$@"
