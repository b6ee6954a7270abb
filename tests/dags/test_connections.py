"""Addresses of stores as Airflow's connections keep them, and back."""

from __future__ import annotations

import json
from pathlib import Path

import avatarlab_connections
import pytest
from airflow.sdk import BaseHook, Connection

from avatarlab_ops.embedded.airflow import connections
from avatarlab_ops.settings import Settings

PG, MONGO = "postgresql://ann:secret@db:5432/avatarlab", "mongodb://mongo:27017/avatarlab"


def as_airflow_tells(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> Settings:
    """What tasks are told where the connections are given as variables, JSON or an address."""

    def get(conn_id: str) -> Connection:
        value = given[f"AIRFLOW_CONN_{conn_id.upper()}"]
        if value.startswith("{"):
            return Connection.from_json(value, conn_id=conn_id)
        return Connection(conn_id=conn_id, uri=value)

    monkeypatch.setattr(BaseHook, "get_connection", get)
    return avatarlab_connections.settings()


def stores(pg_dsn: str = PG, mongo_uri: str = MONGO) -> Settings:
    return Settings(pg_dsn, mongo_uri, "http://s3", "key", "secret", Path("/nowhere"))


@pytest.mark.parametrize(
    "address",
    [
        "mongodb+srv://ann:secret@cluster0.abc.mongodb.net/avatarlab?retryWrites=true&w=majority",
        "mongodb://a:27017,b:27017,c:27017/avatarlab?replicaSet=rs0",
        "mongodb://ann:p%40ss%3A%2Fw%C3%B6rd@a,b:27018,[::1]:27017/avatarlab?authSource=admin",
        "mongodb://[::1]:27017/avatarlab",
        "mongodb://[fe80::1]/avatarlab",
        "mongodb://a/avatarlab?readPreferenceTags=dc:east&readPreferenceTags=dc:west",
        "mongodb://%2Frun%2FMongo.sock/avatarlab",
    ],
)
def test_a_task_is_told_the_same_address_of_mongodb(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    told = as_airflow_tells(monkeypatch, connections(stores(mongo_uri=address)))
    assert told.mongo_uri == address


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:p%40ss%3A%2Fw%C3%B6rd@db:5432/avatarlab?sslmode=require",
        "postgresql://ann:secret@[::1]:5432/avatarlab",
        "postgresql:///avatarlab?host=/run/postgresql",
        "postgresql://a:5432,b:5433/avatarlab?target_session_attrs=read-write",
    ],
)
def test_a_task_is_told_the_same_address_of_postgresql(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    told = as_airflow_tells(monkeypatch, connections(stores(address)))
    assert told.pg_dsn == address


def test_connections_that_are_given_as_addresses_are_understood_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As docker/entrypoint.sh and docker/kubernetes give them; Airflow takes the brackets off."""
    mongo = "mongo://ann:secret@mongo:27017/avatarlab?authSource=admin&replicaSet=rs0"
    given = connections(stores()) | {
        "AIRFLOW_CONN_AVATARLAB_POSTGRES": "postgresql://ann:secret@[::1]:5432/avatarlab",
        "AIRFLOW_CONN_AVATARLAB_MONGO": mongo,
    }
    told = as_airflow_tells(monkeypatch, given)
    assert told.pg_dsn == "postgresql://ann:secret@[::1]:5432/avatarlab"
    assert told.mongo_uri == mongo.replace("mongo://", "mongodb://")


@pytest.mark.parametrize("srv", [True, False])
def test_options_that_are_true_or_false_in_json_are_understood(
    monkeypatch: pytest.MonkeyPatch, srv: bool
) -> None:
    extra = {"srv": srv, "tls": True, "retryWrites": False, "w": "majority"}
    mongo = {"conn_type": "mongo", "host": "mongo.example", "schema": "avatarlab", "extra": extra}
    given = connections(stores()) | {"AIRFLOW_CONN_AVATARLAB_MONGO": json.dumps(mongo)}
    told = as_airflow_tells(monkeypatch, given).mongo_uri
    options = "/avatarlab?tls=true&retryWrites=false&w=majority"
    assert told == f"mongodb{'+srv' if srv else ''}://mongo.example{options}"
