#!/usr/bin/env bash
# Print a bill of materials (CycloneDX, JSON) of all that Elute runs with, as it is installed here.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=scripts/setup.sh
. "$checkout/scripts/setup.sh"

find_home
find_python
set_up "$ELUTE_HOME/venv" requirements.txt

# Apart from what it lists.
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
"$python" -m venv "$tool"
pip_install "$tool" cyclonedx-bom==7.5.0
# It takes twenty seconds to hold what it has made against its own schema.
"$tool/bin/cyclonedx-py" environment --no-validate --output-reproducible \
  --pyproject "$checkout/pyproject.toml" "$ELUTE_HOME/venv/bin/python"
