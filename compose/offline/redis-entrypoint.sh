#!/bin/sh
# The official image answers every address of its network, which a bare Redis without a password
# refuses (protected mode).
set -eu
if [ "$1" = redis-server ]; then
    shift
    set -- redis-server --protected-mode no "$@"
fi
exec "$@"
