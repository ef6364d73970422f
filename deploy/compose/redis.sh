#!/bin/sh
# Starts a Redis server or a Sentinel in the current folder, with a copy of the files in deploy/redis that it may write.
#
#   redis.sh primary|replica|sentinel
#
# From the environment: PRIMARY_HOST, PRIMARY_PORT; REDIS_PASSWORD, REPLICA_PASSWORD, SENTINEL_PASSWORD, of letters,
# digits and dashes; OWN_HOST and OWN_PORT if not all addresses and the usual port; CONFIG, the folder of the files.
set -eu
umask 077
role=$1

fill() { # a file; the longer names first, for they contain the shorter one
	[ "$role" = sentinel ] && port=26379 || port=6379
	sed -e "s/REPLICA_PASSWORD/$REPLICA_PASSWORD/; s/SENTINEL_PASSWORD/$SENTINEL_PASSWORD/; s/PASSWORD/$REDIS_PASSWORD/" \
		-e "s/PRIMARY_HOST/$PRIMARY_HOST/; s/PRIMARY_PORT/$PRIMARY_PORT/" \
		-e "s/OWN_HOST/${OWN_HOST:-0.0.0.0}/; s/OWN_PORT/${OWN_PORT:-$port}/" \
		-e "s#/etc/redis/users.acl#$PWD/users.acl#; s#/var/lib/redis#$PWD#" "${CONFIG:-/etc/flashgate}/$1" >"$1"
}

# Filled in only once: a failover is written into them.
if [ "$role" = sentinel ]; then
	[ -e sentinel.conf ] || fill sentinel.conf
	exec redis-server sentinel.conf --sentinel
fi
fill users.acl
if [ ! -e redis.conf ]; then
	fill redis.conf
	[ "$role" = primary ] || echo "replicaof $PRIMARY_HOST $PRIMARY_PORT" >>redis.conf
fi
exec redis-server redis.conf
