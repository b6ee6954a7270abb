"""Every AVATARLAB_* variable, read at this one door: its name, its type, what is allowed.

An empty variable counts as unset. Nothing of the product is imported but its errors, so that engines may ask.
"""

from __future__ import annotations

import functools
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from avatarlab_ops.errors import InputError

PREFIX = "AVATARLAB_"
CRON_NAMES = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")


def _schedule(expression: str) -> str:
    """The expression, if Airflow's cron library reads it and finds a next time. Raises ValueError."""
    if expression in CRON_NAMES:
        return expression
    from croniter import CroniterError, croniter  # not at module level: engines ask this module

    try:
        croniter(expression).get_next()
    except CroniterError as error:
        raise ValueError(str(error)) from error
    return expression


AiLabel = Literal["none", "icon", "icon_partial", "icon_deepfake", "end_card"]


def by_caller(given: str) -> dict[str, str]:
    """What each caller's entry of "ann=7200,*=600" says; * is everyone who is not named.

    Raises ValueError for an entry without a caller or a value, and for a caller named twice.
    """
    entries = [entry.strip() for entry in given.split(",") if entry.strip()]
    found = {caller.strip(): value.strip() for caller, _, value in (e.rpartition("=") for e in entries)}
    if len(found) < len(entries) or not all((*found, *found.values())):
        raise ValueError("each entry is CALLER=VALUE, each caller once")
    return found


def _checked(given: str) -> str:
    by_caller(given)
    return given


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(given: str) -> tuple[Network, ...]:
    """The networks of "10.1.0.0/16,127.0.0.0/8". Raises ValueError for what is none."""
    return tuple(ipaddress.ip_network(text.strip()) for text in given.split(",") if text.strip())


def _networks(given: str) -> str:
    networks(given)
    return given


def _labels(given: str) -> str:
    for label in by_caller(given).values():
        if label not in get_args(AiLabel):
            raise ValueError(f"{label!r} is not a label; there are {', '.join(get_args(AiLabel))}")
    return given


Tasks = Annotated[int, Field(ge=1, description="a whole number of tasks, from 1")]


class Environment(BaseSettings):
    """What the environment says; descriptions say what is allowed. Secrets show as stars."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Path | None = Field(default=None, description="a folder for local state")
    models: Path | None = Field(default=None, description="a folder for added model files")
    root: Path | None = Field(default=None, description="the checkout of Avatarlab")

    pg_dsn: SecretStr | None = Field(
        default=None, description="postgresql://user:password@host:port/database"
    )
    mongo_uri: SecretStr | None = Field(
        default=None, description="mongodb://user:password@host:port/database"
    )
    s3_endpoint: str | None = Field(default=None, description="http(s)://host:port")
    s3_access_key: SecretStr | None = Field(default=None, description="the object store's access key")
    s3_secret_key: SecretStr | None = Field(default=None, description="the object store's secret key")
    s3_region: str = Field(default="us-east-1", description="a region")
    s3_public_endpoint: str | None = Field(
        default=None, description="where browsers reach the object store, if elsewhere: http(s)://host:port"
    )

    content_credentials: Literal["always", "off"] = Field(
        default="always", description="always, or off, which publishes unsigned videos"
    )
    signing_certificate: Path | None = Field(
        default=None, description="a PEM file: the signer's certificate, then the certificates of its issuers"
    )
    signing_key: Path | None = Field(
        default=None, description="a PEM file with the certificate's private key"
    )
    timestamp_url: str | None = Field(
        default=None, pattern="^https?://", description="http(s)://... of an RFC 3161 time-stamp authority"
    )

    ai_label: AiLabel = Field(
        default="none",
        description="none, icon, icon_partial, icon_deepfake or end_card, for requests that leave "
        "output.ai_label out",
    )
    ai_label_by_caller: Annotated[str, AfterValidator(_labels)] = Field(
        default="", description="CALLER=LABEL,..., as '*=icon,ann=none'; * is everyone not named"
    )

    approval: Literal["none", "first", "all"] = Field(
        default="none",
        description="which videos a person approves before they are published: none, first (of each avatar "
        "and language of a bulk run), or all",
    )

    host: str = Field(default="127.0.0.1", description="the address on which Airflow listens")
    port: int | None = Field(
        default=None, ge=0, le=65535, description="a port number from 0 (any free port) to 65535"
    )
    airflow_dsn: SecretStr | None = Field(default=None, description="postgresql://..., Airflow's own")
    broker_url: SecretStr | None = Field(
        default=None, description="redis://:password@host:port/0, the broker of Celery workers"
    )
    airflow_url: str | None = Field(default=None, description="http(s)://host:port of an Airflow to talk to")
    airflow_user: str = Field(default="admin", description="a login name there")
    airflow_password: SecretStr = Field(default=SecretStr(""), description="its password")
    airflow_token: SecretStr | None = Field(default=None, description="a token there, in place of both")

    devices: str = Field(default="", description="NAME:SLOTS,..., for example cuda0:1,cuda1:1")
    cpu_threads: int | None = Field(default=None, ge=1, description="threads of one engine, from 1")
    budget_gpu_s_per_day: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="a number of GPU-seconds; write for example 7200"
    )
    budget_gpu_s_per_day_by_caller: Annotated[str, AfterValidator(_checked)] = Field(
        default="", description="CALLER=GPU-SECONDS,..., as '*=7200,ann=14400'; * is everyone not named"
    )
    renders_at_once: int | None = Field(
        default=None, ge=1, description="a whole number of renders, from 1; unset: twice the pools' places"
    )
    orders_waiting: int = Field(default=40_000, ge=1, description="a whole number of orders, from 1")
    bulk_gpu_tasks: Tasks = 1
    bulk_cpu_tasks: Tasks = 1
    housekeeping: Literal["apply", "report", "off"] = Field(
        default="apply",
        description="apply, report or off: whether avatar_housekeeping puts the house in order each day, "
        "only counts what it would do, or does not run by itself",
    )
    regenerate_cron: Annotated[str, AfterValidator(_schedule)] | None = Field(
        default=None,
        description="a cron expression of five fields (minute, hour, day, month, day of the week; seconds "
        f"may follow), as '0 3 * * *', or one of {', '.join(CRON_NAMES)}",
    )
    webhook_networks: Annotated[str, AfterValidator(_networks)] = Field(
        default="", description="private networks that webhooks may reach, as 10.1.0.0/16,127.0.0.0/8"
    )


def read() -> Environment:
    """The environment as it is now. Raises InputError: the variable, what it holds, what is allowed."""
    return _read(tuple(sorted(item for item in os.environ.items() if item[0].startswith(PREFIX))))


@functools.lru_cache(maxsize=8)
def _read(_: tuple[tuple[str, str], ...]) -> Environment:
    """Once for each state of the environment: it takes some milliseconds."""
    try:
        return Environment()
    except ValidationError as error:
        told = "; ".join(_told(detail["loc"], detail["msg"]) for detail in error.errors())
        raise InputError(told) from None


def _told(place: tuple[int | str, ...], message: str) -> str:
    name = str(place[0])
    field = Environment.model_fields[name]
    value = "..." if "Secret" in str(field.annotation) else repr(os.environ.get(f"{PREFIX}{name.upper()}"))
    return f"{PREFIX}{name.upper()} is {value} ({message}); give {field.description}"
