#!/bin/sh
# Start a job of Snakemake under HTCondor, which sends SIGTERM to one process alone: pass it on to all of them, so that
# a training hears it and writes a checkpoint. HTCondor's jobs have no PATH, and rules look for `python` there.
PATH=$(dirname "$1"):${PATH:-/usr/local/bin:/usr/bin:/bin}
export PATH
setsid "$@" &
job=$!
trap 'kill -TERM "-$job"' TERM
# A signal ends `wait`, and not the job. The last one gives its status again.
wait "$job"
while kill -0 "$job" 2>/dev/null; do wait "$job"; done
wait "$job"
