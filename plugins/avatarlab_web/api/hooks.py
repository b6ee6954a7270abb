"""Webhooks: an address of yours is told what becomes of a render or bulk run, and what waits for approval.

One without an address signs what is sent to the `callback_url` of its caller's orders: its secret is known
before the first order, and nobody else's messages carry it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, HttpUrl
from sqlalchemy.orm import Session

from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import tables, transaction
from avatarlab_web.api.access import Author, Caller
from avatarlab_web.api.problems import ENDED, MISSING, Refusal
from avatarlab_web.stores import Stores

router = APIRouter(tags=["webhooks"])


class NewWebhook(BaseModel):
    """An address to tell."""

    url: HttpUrl | None = Field(
        default=None,
        description="Public; an operator may allow private networks. Left out: the secret signs what is sent "
        "to the `callback_url` of your orders, one such webhook for each caller.",
    )
    everybody: bool = Field(
        default=False, description="Renders and bulk runs of every caller; for operators."
    )


class Webhook(BaseModel):
    """An address that is told."""

    id: str
    url: str | None = Field(description="None: for the `callback_url` of orders.")
    caller: str
    everybody: bool
    public_key: str | None = Field(description="Verifies `v1a` (ed25519); none before the next rotation.")
    disabled_at: datetime | None
    disabled_reason: str | None
    created_at: datetime


class Secret(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret: str = Field(description="Signs every message; https://www.standardwebhooks.com says how.")


class Delivery(BaseModel):
    """A message to one address."""

    id: str
    url: str
    payload: dict[str, Any]
    attempts: int
    next_at: datetime
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None
    given_up_at: datetime | None
    created_at: datetime


@router.post("/webhooks", status_code=201, responses=ENDED)
def create(asked: NewWebhook, who: Author, stores: Stores) -> Secret:
    """Have an address told, beginning now; the answer alone holds its secret."""
    if asked.everybody:
        who.require("operator")
    with transaction(stores.pg_dsn) as db:
        url = None if asked.url is None else str(asked.url)
        if url and webhooks.addresses(db, who.name) >= webhooks.MOST:
            raise Refusal(
                409,
                "too_many_webhooks",
                f"{who.name} has {webhooks.MOST} addresses, and no more are allowed; delete one first",
            )
        made = webhooks.add(db, url, who.name, everybody=asked.everybody and url is not None)
        if made is None:
            raise Refusal(
                409,
                "webhook_exists",
                "a webhook of yours signs your callbacks already; GET /webhooks shows it (its url is null), "
                "rotate gives it a new secret",
            )
        return Secret(**_columns(Secret, made))


@router.get("/webhooks")
def find(who: Author, stores: Stores) -> list[Webhook]:
    """Your addresses; for operators, everybody's."""
    with transaction(stores.pg_dsn) as db:
        rows = db.scalars(sa.select(tables.WebhookEndpoint).order_by(tables.WebhookEndpoint.created_at))
        mine = [row for row in rows if row.caller == who.name or who.may("operator")]
        return [Webhook(**_columns(Webhook, row)) for row in mine]


@router.post("/webhooks/{webhook_id}/rotate", responses=MISSING)
def rotate(webhook_id: str, who: Author, stores: Stores) -> Secret:
    """Give it a new secret and key pair, and a new chance if it was disabled; the old sign on for a day."""
    with transaction(stores.pg_dsn) as db:
        found = _own(db, webhook_id, who)
        webhooks.rotate(found)
        found.disabled_at = found.disabled_reason = None
        return Secret(**_columns(Secret, found))


@router.delete("/webhooks/{webhook_id}", status_code=204, responses=MISSING)
def remove(webhook_id: str, who: Author, stores: Stores) -> None:
    """Tell it nothing more; one without a url takes the callbacks of running renders with it."""
    with transaction(stores.pg_dsn) as db:
        db.delete(_own(db, webhook_id, who))


@router.get("/webhooks/{webhook_id}/deliveries", responses=MISSING)
def log(
    webhook_id: str, who: Author, stores: Stores, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> list[Delivery]:
    """What it was told, newest first."""
    with transaction(stores.pg_dsn) as db:
        _own(db, webhook_id, who)
        return [Delivery(**_columns(Delivery, row)) for row in webhooks.deliveries(db, webhook_id, limit)]


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/replay", status_code=202, responses=MISSING)
def replay(webhook_id: str, delivery_id: str, who: Author, stores: Stores) -> None:
    """Send a message again, under its id."""
    with transaction(stores.pg_dsn) as db:
        if _own(db, webhook_id, who).disabled_at:
            raise Refusal(
                409, "webhook_disabled", f"webhook {webhook_id} is disabled; `rotate` gives it a new chance"
            )
        if not webhooks.replay(db, webhook_id, delivery_id):
            raise Refusal(404, "not_found", f"there is no delivery {delivery_id!r}")


def _own(db: Session, webhook_id: str, who: Caller) -> tables.WebhookEndpoint:
    try:
        found = webhooks.find(db, webhook_id)
    except ReferenceRefused as error:
        raise Refusal(404, "not_found", str(error)) from error
    who.require_own(found.caller, f"webhook {webhook_id}")
    return found


def _columns(model: type[BaseModel], row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in model.model_fields if name != "public_key"}
    return shown | ({"public_key": webhooks.public_key(row)} if "public_key" in model.model_fields else {})
