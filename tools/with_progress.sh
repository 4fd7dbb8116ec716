#!/usr/bin/env bash
# Runs a command. Where there is no terminal for the command's own progress bar, says every 15 s that it is at work.
set -euo pipefail
if [ ! -t 2 ]; then
  # The ticker's sleep lets go of our output, so that nobody who reads it waits for the last tick.
  (while sleep 15 &>/dev/null; do echo "  still at work after $SECONDS s"; done) >&2 &
  trap "kill $!" EXIT
fi
"$@"
