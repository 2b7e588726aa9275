#!/bin/sh
# supervise.sh LOG COMMAND...
# Run the command again whenever it ends, sooner if it had lived for a while; end when it ends
# with 0, which means: for good.
# Law: the tenant may take any descriptor that is open in here (pidfd_getfd(2)), so none leads out
# of the tenant's own files.
log=$1
shift
pause=0
soon=0
umask 077
trap 'exit 0' TERM
# Standard input is the lock that says we live. Of a sandbox we are process 1, and bubblewrap's
# process outside, which ends with us, keeps it; nobody else does where there is no sandbox.
exec 9<&0 </dev/null
[ $$ -ne 1 ] || exec 9<&-
true 2>/dev/null >>"$log" || log=/dev/null
exec >>"$log" 2>&1
while :; do
    read -r before _ </proc/uptime
    "$@" >>"$log" 2>&1 9<&- && exit 0
    status=$?
    read -r after _ </proc/uptime
    [ $((${after%%.*} - ${before%%.*})) -lt 10 ] || pause=0 soon=0
    soon=$((soon + 1))
    # The provider reads this line, and the one before it as the reason (down_reason.py).
    [ "$soon" -lt 4 ] || echo "supervise: ended $soon times in a row, at last with status $status"
    sleep "$pause" 9<&-
    pause=$((pause < 8 ? pause * 2 + 1 : 15))
done
