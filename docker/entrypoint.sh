#!/bin/bash
# Puts addresses together from secrets that are files, so that neither `docker inspect` nor compose shows one.
# What it exports is its child's alone: health checks and commands of `docker compose exec` begin with it too.
set -euo pipefail

# On Kubernetes each address and secret is in the environment already (docker/kubernetes/values.yaml).
[[ -z ${AVATARLAB_PG_DSN:-} ]] || exec "$@"

# A missing one ends the script; within `export` it would not.
secrets=${SECRETS:-/run/secrets}
secret() { cat "$secrets/$1"; }
# Exports a secret that not every part is given.
give() {
  [[ -e $secrets/$2 ]] || return 0
  local value
  value=$(secret "$2")
  export "$1=$value"
}

broker=$(secret broker_password)
postgres="avatarlab:$(secret postgres_password)@postgres:5432"
mongo="avatarlab:$(secret mongo_password)@mongo:27017/avatarlab?authSource=admin&replicaSet=rs0"
minio=$(secret minio_password)

export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://$postgres/airflow"
export AIRFLOW__CELERY__BROKER_URL="redis://:$broker@broker:6379/0"
export AIRFLOW__CELERY__RESULT_BACKEND="db+$AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
give AIRFLOW__CORE__FERNET_KEY fernet_key
give AIRFLOW__API__SECRET_KEY api_secret_key
give AIRFLOW__API_AUTH__JWT_SECRET jwt_secret

export AVATARLAB_PG_DSN="postgresql://$postgres/avatarlab"
export AVATARLAB_MONGO_URI="mongodb://$mongo"
export AVATARLAB_S3_ACCESS_KEY=avatarlab AVATARLAB_S3_SECRET_KEY="$minio"
export AIRFLOW_CONN_AVATARLAB_POSTGRES="$AVATARLAB_PG_DSN"
export AIRFLOW_CONN_AVATARLAB_MONGO="mongo://$mongo"
export AIRFLOW_CONN_AVATARLAB_S3='{"conn_type": "aws", "login": "avatarlab", "password": "'$minio'", "extra": {"endpoint_url": "'$AVATARLAB_S3_ENDPOINT'", "region_name": "us-east-1"}}'

exec "$@"
