#!/usr/bin/env bash
# Starts PostgreSQL, RabbitMQ and ZooKeeper where they do not run already, on loopback only, from Debian's packages.
#
#   ops/services.sh [--tools] [postgresql] [rabbitmq] [zookeeper]      none named: all three
#
# --tools also installs what the tests look for besides servers: promtool and a browser. For trying out and for tests,
# not for production. What runs already is neither stopped nor reconfigured. Run it as often as you like: it says what
# it found and what it did, and ends with 1 if something does not answer. Works without systemd.
set -euo pipefail

POSTGRESQL_PORT="${POSTGRESQL_PORT:-5432}"
RABBITMQ_PORT="${RABBITMQ_PORT:-5672}"
ZOOKEEPER_PORT="${ZOOKEEPER_PORT:-2181}"
WAIT_SECONDS="${WAIT_SECONDS:-90}"
SERVICES_HOME="${SERVICES_HOME:-/var/lib/dms-services}"
RABBITMQ_HOME="$SERVICES_HOME/rabbitmq"
ZOOKEEPER_HOME="$SERVICES_HOME/zookeeper"
POLICY=/usr/sbin/policy-rc.d

say() { printf 'services: %s\n' "$*"; }
complain() { printf 'services: %s\n' "$*" >&2; }
is_root() { [ "$(id -u)" = 0 ]; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

wait_for() { # name, port
    local end=$((SECONDS + WAIT_SECONDS))
    until answers "$2"; do
        if [ "$SECONDS" -ge "$end" ]; then
            complain "$1 does not answer on 127.0.0.1:$2 after $WAIT_SECONDS seconds"
            return 1
        fi
        sleep 0.3
    done
    say "$1 answers on 127.0.0.1:$2"
}

# A package starts its server when it is installed, and not always on loopback alone: not this time.
forbid_starts() {
    if [ ! -e "$POLICY" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$POLICY"
        chmod 755 "$POLICY"
        trap 'rm -f "$POLICY"' EXIT
    fi
}

IS_UPDATED=
install_packages() {
    if ! is_root || ! command -v apt-get >/dev/null; then
        complain "not installed: $* (as root on Debian this script installs it)"
        return 1
    fi
    forbid_starts
    # Others may be installing at the same time: dpkg's lock is waited for.
    if [ -z "$IS_UPDATED" ]; then
        apt-get -o DPkg::Lock::Timeout=300 update -q >/dev/null
        IS_UPDATED=yes
    fi
    say "installing $*"
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "$@" \
        </dev/null >/dev/null
}

# The one of the port that was asked for, else the newest: version, name, port.
cluster() {
    pg_lsclusters -h 2>/dev/null | sort -k1,1nr |
        awk -v port="$POSTGRESQL_PORT" '$3 == port { print $1, $2, $3; found = 1; exit }
            !first { first = $1 " " $2 " " $3 } END { if (!found && first) print first }'
}

start_postgresql() {
    if answers "$POSTGRESQL_PORT"; then
        say "PostgreSQL runs already on port $POSTGRESQL_PORT"
        return
    fi
    local is_new='' version name port
    if ! command -v pg_ctlcluster >/dev/null || [ -z "$(cluster)" ]; then
        install_packages postgresql || return
        is_new=yes
    fi
    is_root || { complain "PostgreSQL is installed and does not run: start it, or run this as root"; return 1; }
    read -r version name port < <(cluster)
    say "starting PostgreSQL $version"
    pg_ctlcluster --skip-systemctl-redirect "$version" "$name" start -o '-c listen_addresses=127.0.0.1' || return
    wait_for PostgreSQL "$port" || return
    if [ -n "$is_new" ]; then
        # A server that nobody had before is for tests: who is on this machine may use it.
        su postgres -s /bin/sh -c "psql -q -p $port" <<'SQL'
CREATE ROLE dms LOGIN CREATEDB PASSWORD 'dms';
CREATE DATABASE dms OWNER dms;
SQL
        say "made role dms (password dms) and database dms"
    fi
}

start_rabbitmq() {
    if answers "$RABBITMQ_PORT"; then
        say "RabbitMQ runs already on port $RABBITMQ_PORT"
        return
    fi
    command -v rabbitmq-server >/dev/null || install_packages rabbitmq-server || return
    is_root || { complain "RabbitMQ is installed and does not run: start it, or run this as root"; return 1; }
    say "starting RabbitMQ"
    # Settings of its own: those in /etc may listen everywhere. The name keeps Erlang off the network.
    mkdir -p "$RABBITMQ_HOME"
    printf 'listeners.tcp.local = 127.0.0.1:%s\n' "$RABBITMQ_PORT" >"$RABBITMQ_HOME/rabbitmq.conf"
    RABBITMQ_NODENAME="${RABBITMQ_NODENAME:-rabbit@localhost}" RABBITMQ_CONFIG_FILE="$RABBITMQ_HOME/rabbitmq.conf" \
        RABBITMQ_CONF_ENV_FILE="$RABBITMQ_HOME/none" RABBITMQ_DIST_PORT="$((RABBITMQ_PORT + 20000))" \
        ERL_EPMD_ADDRESS=127.0.0.1 \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        rabbitmq-server -detached </dev/null || return
    wait_for RabbitMQ "$RABBITMQ_PORT"
}

write_zookeeper_settings() {
    mkdir -p "$ZOOKEEPER_HOME/data" "$ZOOKEEPER_HOME/log"
    cat >"$ZOOKEEPER_HOME/zoo.cfg" <<CFG
tickTime=2000
dataDir=$ZOOKEEPER_HOME/data
clientPort=$ZOOKEEPER_PORT
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=ruok,srvr,mntr
autopurge.purgeInterval=1
CFG
    chown -R zookeeper "$ZOOKEEPER_HOME"
}

start_zookeeper() {
    if answers "$ZOOKEEPER_PORT"; then
        say "ZooKeeper runs already on port $ZOOKEEPER_PORT"
        return
    fi
    [ -f /usr/share/java/zookeeper.jar ] || install_packages zookeeper || return
    is_root || { complain "ZooKeeper is installed and does not run: start it, or run this as root"; return 1; }
    write_zookeeper_settings || return
    say "starting ZooKeeper"
    # Debian's zkServer.sh insists on /etc/zookeeper: the server itself takes any settings.
    setsid --fork su zookeeper -s /bin/sh -c "cd '$ZOOKEEPER_HOME' && exec java -Xmx256m \
        -cp /etc/zookeeper/conf:/usr/share/java/zookeeper.jar -Dzookeeper.log.dir='$ZOOKEEPER_HOME/log' \
        org.apache.zookeeper.server.quorum.QuorumPeerMain '$ZOOKEEPER_HOME/zoo.cfg'" \
        </dev/null >"$ZOOKEEPER_HOME/log/out" 2>&1 || return
    if ! wait_for ZooKeeper "$ZOOKEEPER_PORT"; then
        tail -n 5 "$ZOOKEEPER_HOME/log/out" >&2
        return 1
    fi
}

install_tools() {
    command -v promtool >/dev/null || install_packages prometheus || return
    command -v chromium >/dev/null || install_packages chromium
}

FAILED=
TOOLS=
wanted=()
for argument in "$@"; do
    case "$argument" in
        --tools) TOOLS=yes ;;
        postgresql | rabbitmq | zookeeper) wanted+=("$argument") ;;
        *) complain "unknown: $argument (postgresql, rabbitmq, zookeeper, --tools)"; exit 2 ;;
    esac
done
[ "${#wanted[@]}" -gt 0 ] || wanted=(postgresql rabbitmq zookeeper)
for each in "${wanted[@]}"; do
    "start_$each" || { complain "$each is not there"; FAILED=yes; }
done
if [ -n "$TOOLS" ]; then
    install_tools || { complain "tools could not be installed"; FAILED=yes; }
fi
[ -z "$FAILED" ]
