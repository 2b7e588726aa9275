#!/bin/bash
# Runs these tests against a real Keystone: the one of the lab, started here unless it runs already.
#   TROVE_LAB  the lab's scripts (default: ../shared/lab, seen from the repository)
#   LAB        where the lab keeps its state (its own default: /var/tmp/openstack-lab)
#   PYTHON     the interpreter of the tests' environment (default: .venv/bin/python)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lab=${TROVE_LAB:-$root/../shared/lab}
[ -f "$lab/env.sh" ] || { echo "no lab in $lab: set TROVE_LAB to the directory of its scripts" >&2; exit 2; }
python=${PYTHON:-$root/.venv/bin/python}

in_lab() { ( cd "$lab" && . ./env.sh && eval "$1" ); }
answers() { curl -s -o /dev/null --max-time 5 "$url"; }

url=$(in_lab 'echo http://$H:$P_KS/v3')
# Erlang's port mapper outlives the broker that starts it.
mappers=" $(echo $(pgrep -x epmd)) "
started=
stop() {
    [ -n "$started" ] || return 0
    bash "$lab/40-stop.sh"
    for pid in $(pgrep -x epmd); do
        case $mappers in *" $pid "*) ;; *) kill "$pid" ;; esac
    done
}
trap stop EXIT

"$python" -c 'import keystonemiddleware' 2>/dev/null ||
    "$python" -m pip install --quiet --disable-pip-version-check --editable "$root[keystone]"

if ! answers; then
    started=yes
    in_lab 'id -u $OSUSER && command -v mariadbd && [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]' \
        >/dev/null 2>&1 || bash "$lab/00-apt.sh"
    in_lab '[ -x $VENV/bin/keystone-manage ]' || bash "$lab/10-venv.sh"
    if in_lab '[ -d $S/etc/keystone/fernet ]'; then
        for service in mariadb rabbit keystone; do bash "$lab/svc.sh" $service; done
    else
        bash "$lab/20-setup.sh"
    fi
    answers
fi

TROVE_KEYSTONE_URL=$url TROVE_KEYSTONE_PASSWORD=$(in_lab 'echo $PW') \
    "$python" -m pytest "$here" -m keystone -W ignore::DeprecationWarning "$@" # of Keystone's libraries
