#!/bin/bash
# Puts addresses together from secrets that are files, so that neither `docker inspect` nor compose shows one.
set -euo pipefail

secret() { cat "${SECRETS:-/run/secrets}/$1"; }

postgres="avatarlab:$(secret postgres_password)@postgres:5432"
mongo="avatarlab:$(secret mongo_password)@mongo:27017/avatarlab?authSource=admin&replicaSet=rs0"
minio=$(secret minio_password)

export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://$postgres/airflow"
export AIRFLOW__CELERY__BROKER_URL="redis://:$(secret broker_password)@broker:6379/0"
export AIRFLOW__CELERY__RESULT_BACKEND="db+$AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
export AIRFLOW__CORE__FERNET_KEY AIRFLOW__API__SECRET_KEY AIRFLOW__API_AUTH__JWT_SECRET
AIRFLOW__CORE__FERNET_KEY=$(secret fernet_key)
AIRFLOW__API__SECRET_KEY=$(secret api_secret_key)
AIRFLOW__API_AUTH__JWT_SECRET=$(secret jwt_secret)

export AVATARLAB_PG_DSN="postgresql://$postgres/avatarlab"
export AVATARLAB_MONGO_URI="mongodb://$mongo"
export AVATARLAB_S3_ACCESS_KEY=avatarlab AVATARLAB_S3_SECRET_KEY="$minio"
export AIRFLOW_CONN_AVATARLAB_POSTGRES="$AVATARLAB_PG_DSN"
export AIRFLOW_CONN_AVATARLAB_MONGO="mongo://$mongo"
export AIRFLOW_CONN_AVATARLAB_S3='{"conn_type": "aws", "login": "avatarlab", "password": "'$minio'", "extra": {"endpoint_url": "'$AVATARLAB_S3_ENDPOINT'", "region_name": "us-east-1"}}'

exec "$@"
