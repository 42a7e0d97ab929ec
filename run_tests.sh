#!/usr/bin/env bash
# Set up what the tests need and run them all, or those that the pytest arguments given select.
#
#   ./run_tests.sh quick     those that take less than a second each and need no browser
#   ./run_tests.sh oldest    what depends on versions, with the oldest dbt that is allowed
#   ./run_tests.sh spark     builds on a Spark cluster, from the pyspark that SPARK_HOME names
#
# Without PGHOST they run on a server of their own, which is gone afterwards; your data is not
# touched. PYTHON chooses the interpreter.
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/setup.sh
. "$checkout/scripts/setup.sh"

find_home
find_python
version=$(python_version "$python")
venv=$ELUTE_HOME/venv-tests-$version
locks=(requirements.txt requirements-dev.txt requirements-spark.txt)
# Folders that a tier has nothing of are not even imported.
case ${1:-} in
  quick)
    set -- -m 'not slow' --ignore=packages/dbt-pgcopy/tests/server --ignore=tests/browser \
      --ignore=tests/acceptance "${@:2}"
    ;;
  oldest)
    set -- -m oldest --ignore=tests/browser --ignore=tests/acceptance --ignore=tests/rules \
      --ignore=tests/unit --ignore=packages/dbt-pgcopy/tests/reader --ignore=packages/postgres-here \
      "${@:2}"
    venv=$venv-oldest
    locks=(requirements-oldest.txt)
    ;;
  spark)
    set -- -m spark packages/dbt-sparkcopy tests/integration/test_spark.py -n 0 "${@:2}"
    ;;
  *) set -- -m 'not spark' "$@" ;;
esac
set_up "$venv" "${locks[@]}"
cache=$ELUTE_HOME/pytest-$version

# After `eval "$(elute env)"`, PGHOST names the server with your data. `db status` refuses
# (status 1) for any other.
status=0
"$venv/bin/elute" db status >/dev/null 2>&1 || status=$?
if [ "$status" -ne 1 ]; then
  unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGREQUIREAUTH
fi
unset ELUTE_ENGINE ELUTE_SEEDS_DIR ELUTE_MAX_DROPPED_RATIO ELUTE_MAX_NULLED_RATIO ELUTE_CSV_ENCODING ELUTE_DATE_FORMAT

# Databases come and go by the hundred, and ext4 looks for a new inode among those just freed.
memory=$(df --output=avail -m /dev/shm 2>/dev/null | tail -1) || memory=0
if [ "$memory" -gt 4096 ] && ! findmnt -no OPTIONS /dev/shm | grep -qw noexec; then
  export SCRATCH_DIR=/dev/shm
fi
ELUTE_HOME=$(mktemp -d -p "${SCRATCH_DIR:-${TMPDIR:-/tmp}}")
chmod 711 "$ELUTE_HOME" # root's server runs as another account

clean_up() {
  if [ -e "$ELUTE_HOME/postgres" ]; then
    "$venv/bin/elute" db stop >/dev/null
    rm -rf "$(cd "$ELUTE_HOME/postgres" && pwd -P)" # it may be a link
  fi
  rm -rf "$ELUTE_HOME"
}
trap clean_up EXIT

exports=$("$venv/bin/elute" env)
eval "$exports"
# The server is all that they share; a test that runs dbt says itself on which project.
unset "${!DBT_@}" ELUTE_ENGINE ELUTE_SEEDS_DIR ELUTE_MAX_DROPPED_RATIO ELUTE_MAX_NULLED_RATIO ELUTE_CSV_ENCODING ELUTE_DATE_FORMAT
if [ -e "$ELUTE_HOME/postgres" ]; then
  # The data need not outlive a crash of the machine, and each process has apps with 48 sessions.
  # A session begins with 4,096 rounds of hashing, half of the time that it takes to connect.
  psql -Xq -c 'alter system set fsync = off' -c 'alter system set max_connections = 300' \
    -c 'set scram_iterations = 1' -c "alter role current_user password '$PGPASSWORD'" >/dev/null
  "$venv/bin/elute" db stop >/dev/null
  "$venv/bin/elute" db start >/dev/null
fi
cd "$checkout"
# A file at a time on each of three processes, one more than there are cores on a small machine,
# since many tests wait for something; another -n after this one wins.
"$venv/bin/pytest" -o cache_dir="$cache" -n 3 --dist loadscope --no-loadscope-reorder "$@"
