# shellcheck shell=bash
# Sourced by run_app.sh and run_tests.sh, with `checkout` set: makes a virtual environment in
# ELUTE_HOME and keeps it as the requirements say. Sets `python` and exports ELUTE_HOME.

python= # the command, once it is found
# Nothing is compiled while it is installed: what is imported, a third of it, is compiled then, and
# would be at each start.
unset PYTHONDONTWRITEBYTECODE

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# ELUTE_HOME as an absolute path; the default is the one in elute/settings.py.
find_home() {
  local home=${ELUTE_HOME:-$checkout/.elute}
  # shellcheck disable=SC2088 # a tilde that no shell has expanded, as in an .env file
  case $home in
    /*) ;;
    '~' | '~/'*) home=$HOME${home#\~} ;;
    *) home=$PWD/$home ;;
  esac
  export ELUTE_HOME=$home
}

python_between() { # COMMAND LEAST MOST: whether it is a Python 3.LEAST to 3.MOST
  "$1" -c "import sys; sys.exit(not (3, $2) <= sys.version_info[:2] <= (3, $3))" 2>/dev/null
}

# $PYTHON if it is set; else the usual one; else any other that will do.
find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    python_between "$PYTHON" 10 99 || fail "PYTHON is $PYTHON, which is no Python 3.10 or later."
    python=$PYTHON
    return
  fi
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    if python_between "$candidate" 10 14; then
      python=$candidate
      return
    fi
  done
  # Newer than any we have tried.
  python_between python3 10 99 || fail 'Elute needs Python 3.10 or later, and there is none in PATH.' \
    'Install one (Debian, Ubuntu: apt install python3 python3-venv), or set PYTHON to one.'
  python=python3
}

require_venv() {
  "$python" -c 'import ensurepip, venv' 2>/dev/null && return
  local version
  version=$(python_version "$python")
  fail "This Python ($python, $version) lacks the module venv or ensurepip." \
    "Install it (Debian, Ubuntu: apt install python$version-venv), or set PYTHON to another."
}

# What the environment is made from. If this changes, it is out of date.
describe() { # VENV REQUIREMENTS...
  printf '%s\n' "$checkout" "$1"
  shift
  (
    cd "$checkout" || exit
    find packages -type f ! -name '*.pyc' ! -path '*/.*' ! -path '*/tests/*' -print0 |
      LC_ALL=C sort -z | xargs -0 cksum pyproject.toml "$@" | cksum
  )
}

# Two starts at once take turns. The lock stays with descriptor 9 after this Python has ended;
# flock(1) would do the same, and is not on every system.
lock() { # FILE, for this account alone: whoever can open it can hold it
  (umask 077 && : >>"$1")
  exec 9>>"$1"
  "$python" - <<'PYTHON'
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Waiting for another set-up to finish.", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
PYTHON
}

unlock() { exec 9>&-; }

# By uv where there is one, which takes a fifth of the time. Pip knows settings that uv does not.
# Either installs the lock, which is whole and leaves out what dbt-core asks for and cannot be had
# from PyPI alone, and then ours, built with the hatchling that is locked.
install() { # VENV REQUIREMENTS...
  install_by_uv "$@" || install_by_pip "$@"
}

# Joined by &&, for `set -e` does not hold where the caller looks at the status.
install_by_uv() { # VENV REQUIREMENTS...
  local venv=$1
  shift
  command -v uv >/dev/null &&
    uv venv --quiet --seed --allow-existing --python "$python" "$venv" &&
    uv_install "$venv" --require-hashes -r <(locked 0 1 "$@") &&
    uv_install "$venv" --no-build-isolation "$checkout"/packages/* --editable "$checkout"
}

# In a folder where it finds the user's settings, and not those of a project.
uv_install() { # VENV ARGUMENTS...
  (cd / && uv pip install --quiet --no-deps --python "$1/bin/python" "${@:2}")
}

# Half of the packages each by one of two pips, for one uses one processor.
install_by_pip() { # VENV REQUIREMENTS...
  local venv=$1 other status=0
  shift
  [ -e "$venv/bin/pip" ] || "$python" -m venv "$venv" || return
  pip_install "$venv" --no-deps --require-hashes -r <(locked 0 2 "$@") &
  other=$!
  pip_install "$venv" --no-deps --require-hashes -r <(locked 1 2 "$@") || status=$?
  wait "$other" && [ "$status" = 0 ] &&
    pip_install "$venv" --no-deps --no-build-isolation "$checkout"/packages/* --editable "$checkout"
}

# Part 0 or 1 of so many of the requirements, with their hashes. What several files have is there once.
locked() { # PART PARTS REQUIREMENTS...
  local part=$1 parts=$2
  shift 2
  (cd "$checkout" && awk -v p="$part" -v of="$parts" '/^[^ #]/ { mine = !seen[$1]++ && n++ % of == p } mine' "$@")
}

pip_install() { # VENV ARGUMENTS...
  local venv=$1
  shift
  PIP_USER=0 "$venv/bin/python" -m pip install --no-compile --quiet --disable-pip-version-check \
    --no-input "$@"
}

# Bring the environment up to date; one that is costs a few milliseconds.
set_up() { # VENV REQUIREMENTS...
  local wanted
  wanted=$(describe "$@")
  is_up_to_date "$1" "$wanted" && return
  if ! mkdir -p "$ELUTE_HOME/logs" 2>/dev/null || ! [ -w "$ELUTE_HOME" ]; then
    fail "Elute cannot write to $ELUTE_HOME. Set ELUTE_HOME to a folder that it may write to."
  fi
  [ -n "$python" ] || find_python
  require_venv
  lock "$ELUTE_HOME/setup.lock"
  is_up_to_date "$1" "$wanted" || renew "$wanted" "$@"
  unlock
}

renew() { # WANTED VENV REQUIREMENTS...
  local wanted=$1 venv=$2 log="$ELUTE_HOME/logs/setup.log"
  shift
  is_usable "$venv" "$wanted" || rm -rf "$venv"
  rm -f "$venv/elute-stamp"
  echo "Setting Elute up in $venv. This takes about a minute, once." >&2
  install "$@" >"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    fail "The set-up failed. Its whole output is in $log. Once that is mended, start again."
  }
  printf '%s\n' "$wanted" >"$venv/elute-stamp"
}

is_up_to_date() { # VENV WANTED
  is_usable "$1" "$2" && [ "$(cat "$1/elute-stamp")" = "$2" ]
}

# Whether it was finished, works, and is where it was made, for this checkout and this Python.
is_usable() { # VENV WANTED
  [ -x "$1/bin/python" ] && [ -r "$1/elute-stamp" ] || return
  [ "$(head -n 2 "$1/elute-stamp")" = "${2%$'\n'*}" ] || return
  [ -z "${PYTHON:-}" ] || [ "$(python_version "$PYTHON")" = "$(python_version "$1/bin/python")" ]
}

python_version() { # COMMAND
  "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}
