#!/bin/sh
# A Redis host: starts a server and the Sentinel beside it in the current folder, with copies of the files in deploy/redis
# that they may write. Whichever of the two ends, the other ends with it, and then the script.
#
#   redis.sh primary|replica
#
# From the environment: PRIMARY_HOST, PRIMARY_PORT; REDIS_PASSWORD, REPLICA_PASSWORD, SENTINEL_PASSWORD, of letters,
# digits and dashes; OWN_HOST, OWN_PORT and SENTINEL_PORT if not all addresses and the usual ports; CONFIG, the folder of
# the files.
set -eu
umask 077
role=$1
started=

fill() { # a file, the port of who reads it; the longer names first, for they contain the shorter one
	sed -e "s/REPLICA_PASSWORD/$REPLICA_PASSWORD/; s/SENTINEL_PASSWORD/$SENTINEL_PASSWORD/; s/PASSWORD/$REDIS_PASSWORD/" \
		-e "s/PRIMARY_HOST/$PRIMARY_HOST/; s/PRIMARY_PORT/$PRIMARY_PORT/" \
		-e "s/OWN_HOST/${OWN_HOST:-0.0.0.0}/; s/OWN_PORT/$2/" \
		-e "s#/etc/redis/users.acl#$PWD/users.acl#; s#/var/lib/redis#$PWD#" "${CONFIG:-/etc/flashgate}/$1" >"$1"
}

start() {
	redis-server "$@" &
	started="$! $started"
}

run() { # until one of them ends
	while :; do
		for process in $started; do kill -0 "$process" 2>/dev/null || return 0; done
		sleep 1
	done
}

end() {
	trap - EXIT
	for process in $started; do kill "$process" 2>/dev/null || :; done
	wait
}
trap end EXIT
trap 'exit 143' INT TERM

# A primary that ends and is back before the Sentinels miss it may have forgotten its last second, and its replicas would
# forget it too. So it comes back when they have had time to promote one of them.
[ ! -e redis.conf ] || sleep 10

# Filled in only once: a failover is written into them.
port=${OWN_PORT:-6379}
fill users.acl "$port"
if [ ! -e redis.conf ]; then
	fill redis.conf "$port"
	[ "$role" = primary ] || echo "replicaof $PRIMARY_HOST $PRIMARY_PORT" >>redis.conf
fi
[ -e sentinel.conf ] || fill sentinel.conf "${SENTINEL_PORT:-26379}"

start redis.conf
start sentinel.conf --sentinel
run
exit 1
