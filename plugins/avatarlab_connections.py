"""Where the stores are, for tasks and triggers: Airflow's ordinary connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf

from avatarlab_ops.home import home_folder
from avatarlab_ops.settings import Settings

POSTGRES, MONGO, S3 = "avatarlab_postgres", "avatarlab_mongo", "avatarlab_s3"


def settings() -> Settings:
    """The three stores: Airflow's connections avatarlab_postgres, avatarlab_mongo and avatarlab_s3.

    OpenLineage events go where those of Airflow's own provider go, by the option [openlineage] transport.
    """
    s3 = BaseHook.get_connection(S3)
    return Settings(
        pg_dsn=_url("postgresql", BaseHook.get_connection(POSTGRES)),
        mongo_uri=_url("mongodb", BaseHook.get_connection(MONGO)),
        s3_endpoint=s3.extra_dejson["endpoint_url"],
        s3_access_key=s3.login or "",
        s3_secret_key=s3.password or "",
        s3_region=s3.extra_dejson.get("region_name", "us-east-1"),
        home=Path(home_folder()),
        openlineage=conf.get("openlineage", "transport", fallback=None) or None,
    )


async def pg_dsn() -> str:
    """The catalog's address, asked for within an event loop."""
    return _url("postgresql", await BaseHook.aget_connection(POSTGRES))


def _url(scheme: str, connection: Any) -> str:
    """Its host may be several, `a:27017,b:27017`, or none, where the query names a folder of sockets."""
    login = f"{quote(connection.login or '', safe='')}:{quote(connection.password or '', safe='')}@"
    login = login if connection.login else ""
    extra = dict(connection.extra_dejson)
    extra = {name: str(value).lower() if isinstance(value, bool) else value for name, value in extra.items()}
    scheme += "+srv" if str(extra.pop("srv", "")).lower() in ("true", "1") else ""
    query = urlencode(extra, doseq=True, safe="/:,")
    port = f":{connection.port}" if connection.port else ""
    address = f"{scheme}://{login}{_hosts(connection.host or '')}{port}/{connection.schema or ''}"
    return f"{address}?{query}" if query else address


def _hosts(host: str) -> str:
    """In brackets where it is an address of IPv6 alone: Airflow takes them off."""
    bare = host.count(":") > 1 and not {"[", ","} & set(host)
    return f"[{host}]" if bare else host
