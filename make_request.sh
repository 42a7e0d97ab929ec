#!/usr/bin/env bash
# Have the running service build, show how it goes, and print the results as JSON.
#
# Progress goes to standard error, results to standard output. Status 0 if the build succeeded, 1 if
# not, with the reason. Needs bash and curl; ELUTE_HOST, ELUTE_PORT, ELUTE_TOKEN and ELUTE_READ_TOKEN
# as the service has them. Of several tokens it takes the first.
set -euo pipefail

host=${ELUTE_HOST:-127.0.0.1}
if [[ $host = *:* ]]; then host=[$host]; fi
base=http://$host:${ELUTE_PORT:-5000}
token=${ELUTE_TOKEN:-}
if [[ $token = *:* ]]; then # NAME:TOKEN NAME:TOKEN
  token=${token%% *}
  token=${token#*:}
fi

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# The token goes to curl through a pipe, where `ps` does not show it.
request() { # TOKEN ARGUMENTS...
  local token=$1
  shift
  {
    [ -z "$token" ] || printf 'header = "Authorization: Bearer %s"\n' "${token//[\\\"]/\\&}"
  } | curl --config - --silent --noproxy '*' "$@"
}

for_changes() { request "${token:-${ELUTE_READ_TOKEN:-}}" "$@"; }
for_reading() { request "${ELUTE_READ_TOKEN:-$token}" "$@"; }

# A number or text from a JSON object on one line: enough for what Elute sends.
member() { # NAME
  sed -n -E 's/^.*"'"$1"'": ?("(([^"\\]|\\.)*)"|([0-9.]+)).*$/\2\4/p' | head -n 1 |
    sed -E 's/\\n/ /g; s/\\(["\\\/])/\1/g'
}

trigger() { # sets run
  local answer status reason
  answer=$(for_changes --request POST --max-time 30 --write-out '\n%{http_code}' \
    "$base/trigger-etl?wait=0") ||
    fail "Nothing answers at $base. Start Elute with ./run_app.sh, or set ELUTE_PORT to its port."
  status=${answer##*$'\n'}
  run=$(member run_id <<<"$answer")
  reason=$(member message <<<"$answer")
  is_current=
  if [ "$status" = 200 ]; then
    is_current=1
  elif [ "$status" != 202 ] || [ -z "$run" ]; then
    fail "${reason:-$base answers with status $status; is that Elute?}"
  fi
  printf '%s\n' "$reason" >&2
}

# Server-sent events: lines of `event:`, `data:` and so on, and an empty one at the end of each.
follow() {
  local field value kind='' data='' nodes='?'
  while IFS=' ' read -r field value; do
    case $field in
      event:) kind=$value ;;
      data:) data=$value ;;
      '') show && kind='' data='' ;;
    esac
  done < <(for_reading --no-buffer "$base/runs/$run/events")
}

show() {
  case $kind in
    nodes) nodes=$(member node_count <<<"$data") ;;
    node_finished)
      printf '%3s of %s  %-7s  %s\n' "$(member position <<<"$data")" "$nodes" \
        "$(member status <<<"$data")" "$(member name <<<"$data")" >&2
      ;;
  esac
}

# The events may have broken off, as when the service is started anew: ask until the run has ended.
wait_for_end() { # sets state and message
  local shown failures=0
  while :; do
    if shown=$(for_reading --fail --max-time 30 "$base/runs?limit=1&before=$((run + 1))"); then
      failures=0
      state=$(member state <<<"$shown")
      message=$(member message <<<"$shown")
      case $state in
        queued | running) ;;
        *) return ;;
      esac
    elif [ $((failures += 1)) -ge 15 ]; then
      fail "Elute no longer answers; ./run_app.sh starts it, and GET /runs/$run tells of this run."
    fi
    sleep 1
  done
}

# A run that broke off with its worker is tried again: the number of that run, if there is one.
retry() {
  local runs begin='{"run_id"' line
  runs=$(for_reading --fail --max-time 30 "$base/runs?limit=20") || return 0
  line=$'\n'$begin
  { grep -E "\"retry_of\": ?${run}[,}]" <<<"${runs//"$begin"/"$line"}" || :; } | member run_id
}

trigger
if [ -n "$is_current" ]; then
  for_reading --fail "$base/etl-results"
  echo
  exit
fi
follow
wait_for_end
while [[ $state = crashed || $state = stopped ]]; do
  again=$(retry)
  [ -n "$again" ] || break
  printf '%s\nRun %s makes up for it.\n' "$message" "$again" >&2
  run=$again
  follow
  wait_for_end
done
printf '%s\n' "$message" >&2
[ "$state" = succeeded ] || exit 1
for_reading --fail "$base/etl-results"
echo
