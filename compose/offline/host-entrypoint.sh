#!/bin/sh
# The Docker engine of a host on which a runbook is carried out; its socket is in /run/drillbook.
set -eu
# The engine moves processes into control groups of its own, which a group with processes forbids.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p /sys/fs/cgroup/init
    xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true
    sed -e 's/ / +/g' -e 's/^/+/' </sys/fs/cgroup/cgroup.controllers \
        >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
fi
# The kernel counts a user's processes across containers: a fork bomb on one host would be felt on all.
# No image's user has so high a number, so that all processes of the operator can be ended, and no others.
usermod --uid $(($(od -An -N2 -tu2 /dev/urandom) + 100000)) operator
chown operator /srv
rm -f /run/docker.pid
exec dockerd --host unix:///run/docker.sock --host unix:///run/drillbook/engine.sock
