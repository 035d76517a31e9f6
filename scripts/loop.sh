#!/usr/bin/env bash
# Teach, check, train, measure; again. One line a stage; the settings are in README.md and --help.
#
#   ./scripts/loop.sh --preset cpu            no GPU, no key, no network
#   ./scripts/loop.sh --resume                go on where the newest run stopped
#   ./scripts/loop.sh --detach                go on when the terminal closes; output to runs/ID/loop.log
#   ./scripts/loop.sh --dry-run               print the plan, start nothing
#   ./scripts/loop.sh --doctor                examine this machine for these settings, start nothing
#
# Exit status: 0 done · 1 failed · 2 bad settings · 3 stopped on request, resumable · 4 refused
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Python checks the settings, makes the run, locks OUT_DIR and executes this file again with --drive:
# the lock then lives exactly as long as this shell and its stages.
if [ "${1:-}" != --drive ]; then
  . "$here/setup.sh"
  exec "$PYTHON" -m autotrain.run start --loop "$here/loop.sh" "$@"
fi
run=$2
first=$3
rounds=$4

# Only the teacher's stage gets to see the key: it comes through a pipe and is in no other process's environment.
key=
if [ -n "${5:-}" ]; then
  IFS= read -r key <&"$5" || true
  eval "exec $5<&-"
fi

# Short, so never interrupted.
step() { (trap '' INT TERM HUP; exec "$PYTHON" -m autotrain.run "$@"); }

# Ctrl-C or a kill: the stage finishes what it has in hand; a second one ends it at once.
child=
asked=
interrupt() {
  if [ -n "$asked" ]; then
    [ -z "$child" ] || kill -KILL -- "-$child" 2>/dev/null || true
    step finish "$run" 3 || exit 3
  fi
  asked=1
  # Also where neither can be written: the next one ends it at once.
  echo "stopping after the item in hand; once more to end at once (both are resumable)" >&2 || true
  step stop "$run" || true
}
trap interrupt INT TERM HUP

# In the background, because bash runs a trap at once only while it waits; in a process group of its own (set -m),
# which Ctrl-C does not reach and which can be ended as a whole.
stage() {
  local status=0 again=0
  set -m
  "$PYTHON" "$here/$1" --run "$run" --round "$round" </dev/null &
  child=$!
  set +m
  wait "$child" || status=$?
  if [ -n "$asked" ]; then # the trap may have cut the wait short
    wait "$child" 2>/dev/null || again=$?
    # Not 127, nor bash's -1: it no longer knows.
    case $again in 127 | -*) ;; *) status=$again ;; esac
  fi
  # The wait, or the stage itself, was ended by HUP, INT or TERM.
  case $status in 129 | 130 | 143) status=3 ;; esac
  child=
  [ "$status" -eq 0 ] || step finish "$run" "$status" || exit $?
}

for ((round = first; round <= rounds; round++)); do
  step round-start "$run" "$round"
  OPENAI_API_KEY=$key stage 01_teacher_generate.py # topics  -> raw
  stage 02_validate.py                             # raw     -> clean
  stage 03_unit_gate.py                            # clean   -> tested
  stage 04_train_qlora.py                          # tested  -> train, val, adapter
  stage 05_eval.py                                 # adapter -> report, best_adapter
  step round-end "$run" "$round"
done
step finish "$run" 0
