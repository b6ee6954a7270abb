"""Webhooks by Standard Webhooks (https://www.standardwebhooks.com): who is told, and what is still untold.

What ends a render or a bulk run, makes it late or has it wait for a person, writes one delivery for each
endpoint in its own transaction, so nothing that happened goes untold. A delivery is tried over three days.
Whoever sends claims it for a minute, so that a killed sender's is sent again; receivers tell a repetition by
its id.

A bulk run's own address is written down before there is a run: as the message of its end, which is held until
then. No process sends it, one of an earlier version neither.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import uuid
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import ReferenceRefused, RequestInvalid
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import BulkEvent, Event
from avatarlab_ops.stores.catalog import records
from avatarlab_ops.stores.catalog import tables as m

# Seconds after the event, then after each failure: 75.6 hours, as the specification proposes.
DELAYS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
CLAIM = timedelta(seconds=60)  # longer than any attempt
KEPT_S = 24 * 3600.0  # an old secret signs beside the new one
GONE = 410
MOST = 20  # addresses of one caller
TOLD = (Event.AWAITING, Event.LATE, Event.PUBLISHED, Event.FAILED, Event.CANCELLED, Event.WITHDRAWN)
FINISHED = f"bulk_run.{BulkEvent.FINISHED}"
SECRET_BYTES = 32  # of a shared secret, and of an ed25519 key's seed
_SECRET, _KEY = "whsec_", "whsk_"
_WAITING = sa.and_(m.WebhookDelivery.delivered_at.is_(None), m.WebhookDelivery.given_up_at.is_(None))


@dataclass(frozen=True)
class Attempt:
    """One delivery that is due, claimed by this process."""

    id: str
    endpoint_id: str
    caller: str  # whose endpoint it is
    url: str
    secrets: tuple[str, ...]
    body: bytes
    number: int  # of the attempt, from 1


def add(db: Session, url: str | None, caller: str, *, everybody: bool) -> m.WebhookEndpoint | None:
    """A new endpoint, told of its caller's renders, or of everybody's.

    Without `url` (see `call_back`) a caller has one at most: None where there is one already.
    """
    row = insert(m.WebhookEndpoint).values(
        id=uuid.uuid4().hex[:12], url=url, caller=caller, everybody=everybody,
        secret=_secret(_SECRET), signing_key=_secret(_KEY),
    )  # fmt: skip
    return db.scalars(row.on_conflict_do_nothing().returning(m.WebhookEndpoint)).one_or_none()


def addresses(db: Session, caller: str) -> int:
    """How many endpoints with an address a caller has."""
    mine = sa.and_(m.WebhookEndpoint.caller == caller, m.WebhookEndpoint.url.is_not(None))
    return db.scalar(sa.select(sa.func.count()).select_from(m.WebhookEndpoint).where(mine)) or 0


def rotate(endpoint: m.WebhookEndpoint) -> str:
    """Give an endpoint a new secret and a new key pair; those before sign beside them for a day."""
    endpoint.former_secret, endpoint.rotated_at = endpoint.secret, records.now()
    endpoint.former_signing_key = endpoint.signing_key
    endpoint.secret, endpoint.signing_key = _secret(_SECRET), _secret(_KEY)
    return endpoint.secret


def public_key(endpoint: m.WebhookEndpoint) -> str | None:
    """What verifies signatures `v1a`, "whpk_" and base64; None for an endpoint that has no pair yet."""
    if endpoint.signing_key is None:
        return None
    public = _private(endpoint.signing_key).public_key().public_bytes_raw()
    return "whpk_" + base64.b64encode(public).decode()


def _secret(prefix: str) -> str:
    return prefix + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _private(key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.removeprefix(_KEY)))


def find(db: Session, endpoint_id: str) -> m.WebhookEndpoint:
    """The endpoint. Raises ReferenceRefused when there is none."""
    found = db.get(m.WebhookEndpoint, endpoint_id)
    if found is None:
        raise ReferenceRefused(f"there is no webhook {endpoint_id!r}; `GET /webhooks` lists yours")
    return found


def callbacks_of(db: Session, caller: str) -> m.WebhookEndpoint | None:
    """The endpoint that signs what is sent to the `callback_url` of a caller's orders."""
    mine = sa.and_(m.WebhookEndpoint.caller == caller, m.WebhookEndpoint.url.is_(None))
    return db.scalars(sa.select(m.WebhookEndpoint).where(mine)).first()


def call_back(db: Session, render_id: str, caller: str, url: str) -> None:
    """Have one address told of one render. Raises RequestInvalid where nothing would sign the message."""
    signer = _signer(db, caller)
    db.add(m.WebhookCallback(render_id=render_id, endpoint_id=signer.id, url=url))


def _signer(db: Session, caller: str) -> m.WebhookEndpoint:
    signer = callbacks_of(db, caller)
    if signer is None:
        raise RequestInvalid(
            "callback_url: nothing signs messages to it yet; POST /webhooks without a url, once, and keep "
            "the secret of the answer"
        )
    return signer


def call_back_of_bulk(db: Session, bulk_id: str, caller: str, url: str | None) -> None:
    """Have one address told of a bulk run that is to begin, no other one; None: nobody.

    It hears only of a run that is its caller's. Raises RequestInvalid where nothing would sign the message.
    """
    if held := _held(db, bulk_id, caller):
        db.delete(held)
        db.flush()
    if url is None:
        return
    signer = _signer(db, caller)
    # Of two orders at once one wins; what was delivered under this id is not told again.
    _write_once(db, signer.id, bulk_id, url, {"type": FINISHED, "data": {"id": bulk_id}}, next_at=m.HELD)


def _write_once(db: Session, endpoint_id: str, bulk_id: str, url: str, message: Json, **values: Any) -> None:
    """The one message of its kind to an endpoint about a bulk run; nothing where there is one."""
    ident = uuid.uuid5(uuid.NAMESPACE_URL, f"{endpoint_id} {bulk_id}").hex
    row = {"id": f"msg_{ident}", "endpoint_id": endpoint_id, "url": url, "payload": message, **values}
    db.execute(insert(m.WebhookDelivery).values(row).on_conflict_do_nothing())


def _held(db: Session, bulk_id: str, caller: str) -> m.WebhookDelivery | None:
    """The message to a bulk run's own address, as long as it waits for the end of this caller's run."""
    query = sa.select(m.WebhookDelivery).join(
        m.WebhookEndpoint, m.WebhookEndpoint.id == m.WebhookDelivery.endpoint_id
    )
    of_it = m.WebhookDelivery.payload["data"]["id"].as_string() == bulk_id
    mine = query.where(
        _WAITING, m.WebhookDelivery.next_at == m.HELD, of_it, m.WebhookEndpoint.caller == caller
    )
    return db.scalars(mine).first()


def hear(db: Session, _settings: Settings, render: m.Render, event: Event, _files: object) -> None:
    """Write what each address is to be told: `render.EVENT` at a person's turn, late, at its end, after."""
    if event not in TOLD:
        return
    request = records.request_of(db, render)
    for endpoint_id, url in _listening(db, render, request):
        _write(db, endpoint_id, url, _message(render, request, event))


def hear_bulk(db: Session, _settings: Settings, run: m.BulkRun, event: BulkEvent, told: Json) -> None:
    """Write what each address is to be told of a bulk run: `bulk_run.EVENT`."""
    message = _bulk_message(run, event, told)
    for endpoint_id, url in _endpoints(db, run.caller):
        _write(db, endpoint_id, url, message)
    held = _held(db, run.id, run.caller)
    if held and event is BulkEvent.FINISHED:
        held.payload, held.next_at = message, records.now()
    elif held:
        _write(db, held.endpoint_id, held.url, message)


def hear_unplanned(db: Session, bulk_id: str, caller: str, told: Json) -> None:
    """Write what each address is to be told of a bulk run that ended before it was planned."""
    at = records.now().isoformat()
    data = {"id": bulk_id, "caller": caller, "deadline": None, "created_at": None, "ended_at": at, **told}
    message = {"type": FINISHED, "timestamp": at, "data": data}
    for endpoint_id, url in _endpoints(db, caller):
        _write_once(db, endpoint_id, bulk_id, url, message)
    if held := _held(db, bulk_id, caller):
        held.payload, held.next_at = message, records.now()


def held_for_unplanned(db: Session) -> dict[str, str]:
    """Bulk run id to caller, where an address of its own waits for its end and no such run is on record."""
    bulk_id = m.WebhookDelivery.payload["data"]["id"].as_string()
    query = (
        sa.select(bulk_id, m.WebhookEndpoint.caller)
        .join(m.WebhookEndpoint, m.WebhookEndpoint.id == m.WebhookDelivery.endpoint_id)
        .where(_WAITING, m.WebhookDelivery.next_at == m.HELD)
        .where(~sa.exists().where(m.BulkRun.id == bulk_id))
    )
    return {row[0]: row[1] for row in db.execute(query)}


def _write(db: Session, endpoint_id: str, url: str, message: Json) -> None:
    ident = f"msg_{uuid.uuid4().hex}"
    db.add(m.WebhookDelivery(id=ident, endpoint_id=endpoint_id, url=url, payload=message))


def _listening(db: Session, render: m.Render, request: m.Request) -> list[tuple[str, str]]:
    """(endpoint, address) of everybody who is to hear of a render."""
    listening = _endpoints(db, request.caller)
    callback = db.get(m.WebhookCallback, render.id)
    return [*listening, (callback.endpoint_id, callback.url)] if callback else listening


def _endpoints(db: Session, caller: str) -> list[tuple[str, str]]:
    heard = sa.or_(m.WebhookEndpoint.everybody, m.WebhookEndpoint.caller == caller)
    able = db.scalars(sa.select(m.WebhookEndpoint).where(heard, m.WebhookEndpoint.disabled_at.is_(None)))
    return [(endpoint.id, endpoint.url) for endpoint in able if endpoint.url is not None]


def _message(render: m.Render, request: m.Request, event: Event) -> Json:
    at = render.withdrawn_at or render.ended_at or records.now()
    return {
        "type": f"render.{event}",
        "timestamp": at.isoformat(),
        "data": {
            "id": render.id,
            "state": render.state,
            "caller": request.caller,
            "labels": request.body.get("labels", {}),
            "reason": {"code": render.error_code, "stage": render.error_stage, "text": render.error}
            if render.error
            else None,
            "withdrawn_reason": render.withdrawn_reason,
            "deadline": render.deadline.isoformat() if render.deadline else None,
        },
    }


def _bulk_message(run: m.BulkRun, event: BulkEvent, told: Json) -> Json:
    times = {name: getattr(run, name) for name in ("deadline", "created_at", "ended_at")}
    shown = {name: at.isoformat() if at else None for name, at in times.items()}
    at = run.ended_at or run.late_told_at or records.now()
    return {
        "type": f"bulk_run.{event}",
        "timestamp": at.isoformat(),
        "data": {"id": run.id, "caller": run.caller, **shown, **told},
    }


def claim(
    db: Session, limit: int, *, each: int, of_caller: int, at_work: Collection[Attempt] = ()
) -> list[Attempt]:
    """Deliveries that are due, each given to one process; who has the fewest at work comes first.

    An endpoint has `each` at a time, and a caller's endpoints together `of_caller`. `at_work`: what this
    process is sending already.
    """
    ranked = _ranked(each, at_work)
    query = (
        sa.select(m.WebhookDelivery, m.WebhookEndpoint)
        .join(m.WebhookEndpoint, m.WebhookEndpoint.id == m.WebhookDelivery.endpoint_id)
        .join(ranked, ranked.c.id == m.WebhookDelivery.id)
        .where(_due(), ranked.c.place <= of_caller)
        .order_by(ranked.c.place, m.WebhookDelivery.next_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=m.WebhookDelivery)
    )
    return [_claimed(delivery, endpoint) for delivery, endpoint in db.execute(query)]


def _due() -> sa.ColumnElement[bool]:
    able = m.WebhookEndpoint.disabled_at.is_(None)
    return sa.and_(_WAITING, m.WebhookDelivery.next_at <= records.now(), able)


def _ranked(each: int, at_work: Collection[Attempt]) -> sa.Subquery:
    """What is due of the first `each` of every endpoint, with its place among its caller's."""
    endpoint, waiting = m.WebhookEndpoint, m.WebhookDelivery
    place = _place(endpoint.id, waiting.next_at, Counter(one.endpoint_id for one in at_work))
    due = sa.select(waiting.id, waiting.next_at, endpoint.caller, place.label("place"))
    first = due.join(endpoint, endpoint.id == waiting.endpoint_id).where(_due()).subquery()
    of_caller = _place(first.c.caller, first.c.next_at, Counter(one.caller for one in at_work))
    return sa.select(first.c.id, of_caller.label("place")).where(first.c.place <= each).subquery()


def _place(group: Any, since: Any, at_work: Mapping[str, int]) -> sa.ColumnElement[int]:
    """The how-manieth of its group a row is, behind those that are at work."""
    place = sa.func.row_number().over(partition_by=group, order_by=since)
    return place + sa.case(dict(at_work), value=group, else_=0) if at_work else place


def _claimed(delivery: m.WebhookDelivery, endpoint: m.WebhookEndpoint) -> Attempt:
    delivery.attempts, delivery.next_at = delivery.attempts + 1, records.now() + CLAIM
    body = json.dumps(delivery.payload, separators=(",", ":")).encode()
    of, signing = (endpoint.id, endpoint.caller), _signing(endpoint)
    return Attempt(delivery.id, *of, delivery.url, signing, body, delivery.attempts)


def _signing(endpoint: m.WebhookEndpoint) -> tuple[str, ...]:
    since = endpoint.rotated_at
    held: tuple[str | None, ...]
    if endpoint.former_secret and since and (records.now() - since).total_seconds() < KEPT_S:
        held = endpoint.secret, endpoint.former_secret, endpoint.signing_key, endpoint.former_signing_key
    else:
        held = endpoint.secret, None, endpoint.signing_key, None
    return tuple(key for key in held if key)


def headers(attempt: Attempt, at: datetime) -> dict[str, str]:
    """Headers of one attempt, signed by every secret (HMAC-SHA256) and key (ed25519) that holds."""
    seconds = str(int(at.timestamp()))
    signed = f"{attempt.id}.{seconds}.".encode() + attempt.body
    signatures = [_signature(secret, signed) for secret in attempt.secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": attempt.id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signatures),
    }


def _signature(secret: str, signed: bytes) -> str:
    if secret.startswith(_KEY):
        return "v1a," + base64.b64encode(_private(secret).sign(signed)).decode()
    key = base64.b64decode(secret.removeprefix(_SECRET))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def settle(db: Session, attempt: Attempt, status: int | None, told: str, *, later_s: float = 0.0) -> None:
    """Keep what became of an attempt. `status`: of the answer, if there was one; `later_s`: as it asked."""
    delivery = db.get(m.WebhookDelivery, attempt.id)
    if delivery is None:
        return
    delivery.last_status, delivery.last_error = status, None if _taken(status) else told
    if _taken(status):
        delivery.delivered_at, delivery.given_up_at = records.now(), None
    elif status == GONE or attempt.number > len(DELAYS_S):
        delivery.given_up_at = records.now()
    else:
        wait_s = max(DELAYS_S[attempt.number - 1], later_s)
        delivery.next_at = records.now() + timedelta(seconds=wait_s * (1 + secrets.randbelow(100) / 1000))
    endpoint = find(db, delivery.endpoint_id)
    if status == GONE and endpoint.url is not None:  # a callback is for one render; others are still heard
        endpoint.disabled_at, endpoint.disabled_reason = records.now(), "it answered 410 Gone"
        given_up = {"given_up_at": records.now(), "last_error": "its address is disabled"}
        others = sa.and_(_log_of(endpoint.id), _WAITING, m.WebhookDelivery.id != attempt.id)
        db.execute(sa.update(m.WebhookDelivery).where(others).values(given_up))


def _taken(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def replay(db: Session, endpoint_id: str, delivery_id: str) -> bool:
    """Send a delivery again, under its id; False when the endpoint has no such delivery."""
    fresh = {"delivered_at": None, "given_up_at": None, "attempts": 0, "next_at": records.now()}
    mine = sa.and_(m.WebhookDelivery.id == delivery_id, _log_of(endpoint_id))
    change = sa.update(m.WebhookDelivery).where(mine).values(fresh).returning(m.WebhookDelivery.id)
    return db.scalars(change).first() is not None


def deliveries(db: Session, endpoint_id: str, limit: int) -> list[m.WebhookDelivery]:
    """The newest deliveries of an endpoint, without those that are held."""
    mine = sa.select(m.WebhookDelivery).where(_log_of(endpoint_id))
    return list(db.scalars(mine.order_by(m.WebhookDelivery.created_at.desc()).limit(limit)))


def past(before: datetime) -> sa.ColumnElement[bool]:
    """Which deliveries were taken, or given up, before that moment."""
    return sa.func.coalesce(m.WebhookDelivery.delivered_at, m.WebhookDelivery.given_up_at) < before


def _log_of(endpoint_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(m.WebhookDelivery.endpoint_id == endpoint_id, m.WebhookDelivery.next_at < m.HELD)
