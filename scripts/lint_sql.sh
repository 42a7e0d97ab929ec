#!/usr/bin/env bash
# Lint every model and test as dbt compiles it, which takes a database: PG* as for dbt, or Elute's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exports=$(elute env)
eval "$exports"
sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests
