#!/bin/sh
# accounts.sh ETC COMMAND...
# In a mount namespace of its own: show the accounts in ETC as the machine's, then become the
# command. Programs such as initdb must find the user as which they run.
set -eu
etc=$1
shift
for name in passwd group; do
    mount --bind "$etc/$name" "/etc/$name"
done
exec "$@"
