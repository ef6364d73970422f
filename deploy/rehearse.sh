#!/bin/sh
# A launch behind HAProxy, on this machine and without containers: Redis with two replicas and a Sentinel beside each of
# the three, three gates, HAProxy with TLS and a simulated PortOne, all by the files of this folder. When everything
# answers, a sale is made that opens some seconds later, and flashgate-loadtest launch sends it buyers and says PASS or
# FAIL. All of it ends with the script. It needs redis-server, haproxy and openssl (on Debian: apt-get install redis-server
# haproxy openssl).
#
#   deploy/rehearse.sh [flags of flashgate-loadtest launch, such as --rate 2000 --demand 20000]
#
# From the environment: FLASHGATE and LOADTEST, the programs (bin/flashgate, bin/flashgate-loadtest); PORT, the first of the
# 20 ports that it takes (21000); GATE_FLAGS, more flags for the gates, such as --first-look=5s; KEEP=1 leaves all of it
# running after the launch, until Ctrl-C. Settings that the shell has for a real gate, FLASHGATE_…, are forgotten.
set -eu
for setting in $(env | sed -n 's/^\(FLASHGATE_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$setting"; done
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin # where Debian has servers
program=${FLASHGATE:-bin/flashgate}
loadtest=${LOADTEST:-bin/flashgate-loadtest}
first=${PORT:-21000}
dir=$(mktemp -d)
started=

clean_up() {
	trap - EXIT
	for process in $started; do kill "$process" 2>/dev/null || :; done
	wait
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

at() { echo "127.0.0.1:$((first + $1))"; }

start() { # a name, for its log and its folder; the command
	name=$1
	shift
	mkdir -p "$dir/$name"
	"$@" >"$dir/$name.log" 2>&1 &
	started="$! $started"
}

await() { # what for; a command that succeeds once it is there
	what=$1
	shift
	tries=0
	until "$@" >"$dir/await.log" 2>&1; do
		tries=$((tries + 1))
		if [ $tries -ge 150 ]; then
			echo "rehearse: waited 30 s for $what: $(cat "$dir/await.log")" >&2
			tail -n 3 "$dir"/*.log >&2
			exit 1
		fi
		sleep 0.2
	done
}

redis() { # a number from 1, its role
	start "redis$1" env OWN_HOST=127.0.0.1 OWN_PORT="$((first + $1))" SENTINEL_PORT="$((first + 3 + $1))" CONFIG="$PWD/deploy/redis" \
		sh -c 'cd "$1" && exec sh "$2" "$3"' sh "$dir/redis$1" "$PWD/deploy/compose/redis.sh" "$2"
}

for needed in redis-server redis-cli haproxy openssl "$program" "$loadtest"; do
	command -v "$needed" >"$dir/found" || { echo "rehearse: $needed is missing; see the first lines of $0" >&2; exit 1; }
done

export REDIS_PASSWORD=rehearsal-gates REPLICA_PASSWORD=rehearsal-replicas SENTINEL_PASSWORD=rehearsal-sentinels
export PRIMARY_HOST=127.0.0.1 PRIMARY_PORT=$((first + 1))
redis 1 primary
redis 2 replica
redis 3 replica

FLASHGATE_SIGNING_KEY=rehearsal:$(openssl rand -base64 32)
export FLASHGATE_SIGNING_KEY
export FLASHGATE_REDIS="redis+sentinel://flashgate:$REDIS_PASSWORD@$(at 4),$(at 5),$(at 6)/flashgate" FLASHGATE_WAIT_REPLICAS=1
export FLASHGATE_PORTONE_V1_URL="http://$(at 7)" FLASHGATE_PORTONE_V1_KEY=sim-key FLASHGATE_PORTONE_V1_SECRET=sim-secret-for-tests-only
export FLASHGATE_TRUSTED_PROXIES=127.0.0.1
start portone "$loadtest" portone-sim --listen "$(at 7)" --declines 0.1
follow() { # the primary takes no write before it has its replicas
	redis-cli -p "$PRIMARY_PORT" --user flashgate --pass "$REDIS_PASSWORD" --no-auth-warning info replication | grep good_slaves:2
}
await "the replicas" follow
await "the Sentinels" "$program" status
for i in 1 2 3; do
	# GATE_FLAGS is split into words on purpose.
	start gate$i env FLASHGATE_LISTEN="$(at $((10 + i)))" FLASHGATE_ADMIN_LISTEN="$(at $((13 + i)))" "$program" serve ${GATE_FLAGS:-}
done

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=flashgate \
	-addext subjectAltName=IP:127.0.0.1 -keyout "$dir/key" -out "$dir/ca.pem" 2>"$dir/openssl.log"
cat "$dir/ca.pem" "$dir/key" >"$dir/cert.pem"
start haproxy env LISTEN="$(at 8)" CERT="$dir/cert.pem" STATS="$(at 9)" GATE1="$(at 11)" GATE2="$(at 12)" GATE3="$(at 13)" \
	haproxy -f deploy/haproxy/haproxy.cfg

for i in 1 2 3; do await "gate $i" "$program" healthcheck --url "http://$(at $((13 + i)))/readyz"; done

opens=$(($(date +%s) + 8))
cat >"$dir/sales.yaml" <<-END
	sales:
	  - name: rehearsal
	    opens_at: $(date -u -d "@$opens" +%Y-%m-%dT%H:%M:%SZ)
	    closes_at: $(date -u -d "@$((opens + 3600))" +%Y-%m-%dT%H:%M:%SZ)
	    per_buyer: 2
	    skus:
	      - {name: ticket, stock: 500, price: 110000}
END
"$program" apply -f "$dir/sales.yaml"
echo "HAProxy takes calls at https://$(at 8), its figures and the gates' are at http://$(at 9)/metrics and http://$(at 14)/metrics."

status=0
"$loadtest" launch --target "https://$(at 8)" --ca "$dir/ca.pem" --sale rehearsal --admin "http://$(at 14)" \
	--pay "http://$(at 7)" --demand 5000 "$@" || status=$?
if [ "${KEEP:-}" ]; then
	echo "All of it goes on until Ctrl-C; logs are in $dir."
	wait
fi
exit $status
