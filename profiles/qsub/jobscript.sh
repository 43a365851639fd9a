#!/bin/sh
# properties = {properties}
# A job of PBS or Grid Engine. Where STOP_AFTER says so, all its processes are asked to stop some minutes before its
# time is up, which neither does by itself: a training then writes a checkpoint. This shell takes no notice, and waits.
trap : TERM
export PATH="$TOOLS:$PATH"
if [ -n "${{STOP_AFTER:-}}" ]; then
    {{ sleep "$STOP_AFTER" && kill -TERM 0; }} &
    trap 'kill -TERM 0' EXIT  # the clock must not outlive the job
fi
{exec_job}
