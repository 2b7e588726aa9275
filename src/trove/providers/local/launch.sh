#!/bin/sh
# launch.sh GROUP... -- COMMAND...
# Join the control groups, then become the command, which is in them from the start. Standard
# input is the lock by which others see that this server lives; the command inherits it.
set -eu
while [ "$1" != -- ]; do
    echo $$ >"$1/cgroup.procs"
    shift
done
shift
# When the machine is out of memory, the kernel ends a tenant's process before the control plane's.
# Set by root, it cannot be lowered in there.
{ echo 500 >/proc/$$/oom_score_adj; } 2>/dev/null || :
umask 022
ulimit -c 0
ulimit -n 65536 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
exec "$@"
