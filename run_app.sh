#!/usr/bin/env bash
# Set Elute up where it is not yet, and run the command given: ./run_app.sh build
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/setup.sh
. "$checkout/scripts/setup.sh"

find_home
set_up "$ELUTE_HOME/venv" requirements.txt

if [ $# -eq 0 ]; then
  "$ELUTE_HOME/venv/bin/elute" --help
  printf '\nTo build the tables: %s build\n' "$0"
  exit
fi
exec "$ELUTE_HOME/venv/bin/elute" "$@"
