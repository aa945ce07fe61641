#!/bin/sh
# Makes the passwords that ops/compose.yaml reads, each once; run again, it leaves alone what is there.
set -eu
cd "$(dirname "$0")"
umask 022 # the containers' users read them; the folder is for its owner alone
mkdir -p -m 700 secrets

for name in postgres_password rabbitmq_password grafana_password; do
    if [ ! -s "secrets/$name" ]; then
        od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$name"
        echo "made ops/secrets/$name"
    fi
done

# RabbitMQ takes its users from a file; with one it makes no guest.
if [ ! -s secrets/rabbitmq_definitions.json ]; then
    cat >secrets/rabbitmq_definitions.json <<JSON
{
  "users": [{"name": "dms", "password": "$(cat secrets/rabbitmq_password)", "tags": ["administrator"]}],
  "vhosts": [{"name": "/"}],
  "permissions": [{"user": "dms", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]
}
JSON
    echo "made ops/secrets/rabbitmq_definitions.json"
fi
