#!/bin/sh
# What the container starts with: see that /data can be used, then run the command given.
set -eu

if ! [ -w "$ELUTE_HOME" ]; then
  echo "Elute (user id $(id -u)) cannot write to $ELUTE_HOME." >&2
  if id -un >/dev/null 2>&1; then
    echo "Mount a new volume there (-v NAME:/data), or let that user id write to the folder you mount, or" \
      "give it the volume that another one wrote: docker run --rm --user 0 --entrypoint chown" \
      "-v NAME:/data elute -R $(id -u) /data" >&2
  else
    echo "This image does not know that user id. Leave --user out, or build the image with --build-arg" \
      "ELUTE_UID=$(id -u). With PGHOST set, it is enough to mount a folder there that it may write to." >&2
  fi
  exit 1
fi
# A folder mounted over /data hides the sample.
if ! [ -e "$ELUTE_SEEDS_DIR" ]; then
  mkdir -p "$ELUTE_SEEDS_DIR" || {
    echo "There is no folder $ELUTE_SEEDS_DIR (ELUTE_SEEDS_DIR). Mount one there, or leave the setting" \
      "out and mount it at $ELUTE_HOME/seeds." >&2
    exit 1
  }
  cp /elute/seeds/*.csv "$ELUTE_SEEDS_DIR"
fi
exec "$@"
