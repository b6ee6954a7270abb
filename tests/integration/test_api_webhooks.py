"""Webhooks: signed, tried again, ended by 410, and never sent into a private network."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
from avatarlab_web import starting
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from kit.eventually import eventually
from standardwebhooks import Webhook, WebhookVerificationError

from avatarlab_ops import pipeline
from avatarlab_ops.bulk import planning, report
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction

from .api_server import Server, serving


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent, and answers as it is told to; 0: not at all."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((address, port), _Handler)
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.let_go = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers.items()), body))
        if self.server.status == 0:
            self.server.let_go.wait(60)
            return
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening("127.0.0.1") as server:
        yield server


@contextmanager
def listening(address: str, port: int = 0) -> Iterator[Receiver]:
    with Receiver(address, port) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.let_go.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def api(stores: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AVATARLAB_WEBHOOK_NETWORKS", "127.0.0.0/8")
    with serving(stores) as server:
        yield server
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.delete(m.WebhookEndpoint))


def cancelled(api: Server, stores: Settings, portrait: str, key: str) -> str:
    asked = {"script": "Hello.", "avatar": {"uri": portrait}, "labels": {"key": key}}
    render_id = str(api.order(asked, key).json()["id"])
    pipeline.cancel(stores, render_id, "enough")
    return render_id


def send(stores: Settings) -> int:
    from avatarlab_web import sending

    return asyncio.run(sending.send(stores))


def due_again(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(m.WebhookDelivery).values(next_at=datetime.now(UTC)))


def test_a_message_is_signed_so_that_others_verify_it_and_forgeries_fail(
    api: Server, stores: Settings, portrait: str, receiver: Receiver
) -> None:
    hook = api.client.post("/webhooks", json={"url": receiver.url}).json()
    render_id = cancelled(api, stores, portrait, "signed")
    assert send(stores) == 1
    assert send(stores) == 0
    ((headers, body),) = receiver.got
    told = Webhook(hook["secret"]).verify(body, headers)
    assert (told["type"], told["data"]["id"]) == ("render.cancelled", render_id)
    assert told["data"]["reason"]["text"] == "enough"
    with pytest.raises(WebhookVerificationError):
        Webhook(hook["secret"]).verify(body.replace(b"enough", b"plenty"), headers)
    assert "secret" not in api.client.get("/webhooks").json()[0]

    fresh = api.client.post(f"/webhooks/{hook['id']}/rotate").json()["secret"]
    cancelled(api, stores, portrait, "rotated")
    send(stores)
    headers, body = receiver.got[1]
    for secret in (hook["secret"], fresh):
        assert Webhook(secret).verify(body, headers)


def test_who_holds_no_secret_verifies_by_the_public_key_also_while_it_is_rotated(
    api: Server, stores: Settings, portrait: str, receiver: Receiver
) -> None:
    hook = api.client.post("/webhooks", json={"url": receiver.url}).json()
    assert api.client.get("/webhooks").json()[-1]["public_key"] == hook["public_key"]
    fresh = api.client.post(f"/webhooks/{hook['id']}/rotate").json()
    cancelled(api, stores, portrait, "by-a-pair")
    send(stores)
    headers, body = receiver.got[-1]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    kinds = [one.split(",") for one in headers["webhook-signature"].split()]
    signatures = [base64.b64decode(value) for kind, value in kinds if kind == "v1a"]
    assert len(kinds) == 4
    for told, signature in zip((fresh, hook), signatures, strict=True):
        known = Ed25519PublicKey.from_public_bytes(base64.b64decode(told["public_key"].removeprefix("whpk_")))
        known.verify(signature, signed)
        with pytest.raises(InvalidSignature):
            known.verify(signature, signed + b" ")


@pytest.mark.parametrize("status", [500, 302, 0])
def test_a_receiver_that_fails_redirects_or_hangs_is_tried_again_under_the_same_id(
    api: Server,
    stores: Settings,
    portrait: str,
    receiver: Receiver,
    *,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    from avatarlab_web import sending

    hook = api.client.post("/webhooks", json={"url": receiver.url}).json()
    receiver.status = status
    cancelled(api, stores, portrait, f"fails-{status}")
    with monkeypatch.context() as patch:
        patch.setattr(sending, "WHOLE_S", 0.5)
        send(stores)
    (delivery,) = api.client.get(f"/webhooks/{hook['id']}/deliveries").json()
    assert (delivery["delivered_at"], delivery["attempts"]) == (None, 1)
    assert datetime.fromisoformat(delivery["next_at"]) > datetime.now(UTC) + timedelta(seconds=2)
    receiver.status = 204
    due_again(stores)
    send(stores)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    (delivery,) = api.client.get(f"/webhooks/{hook['id']}/deliveries").json()
    assert delivery["delivered_at"]
    path = f"/webhooks/{hook['id']}/deliveries/{delivery['id']}/replay"
    assert api.client.post(path).status_code == 202
    assert send(stores) == 1


def test_a_receiver_that_hangs_delays_no_other(api: Server, stores: Settings, receiver: Receiver) -> None:
    """Forty messages to one that takes each and answers none, then one to another."""
    from avatarlab_web import sending

    receiver.status = 0
    with listening("127.0.0.1") as other:
        hooks = [api.client.post("/webhooks", json={"url": to.url}).json()["id"] for to in (receiver, other)]
        wait_in_line(stores, [*((hooks[0], receiver.url) for _ in range(40)), (hooks[1], other.url)])
        asyncio.run(send_until_told(stores, other))
    assert [json.loads(body) for _, body in other.got] == [{"n": 40}]
    assert len(receiver.got) <= sending.AT_ONCE_EACH


def wait_in_line(stores: Settings, messages: list[tuple[str, str]]) -> None:
    """Messages that are due, each to an endpoint's id and address, the first one for the longest time."""
    with transaction(stores.pg_dsn) as db:
        for number, (hook, url) in enumerate(messages):
            at = datetime.now(UTC) - timedelta(minutes=1) + timedelta(milliseconds=number)
            row = {"id": f"msg_hang{number}", "endpoint_id": hook, "url": url, "payload": {"n": number}}
            db.add(m.WebhookDelivery(**row, next_at=at))


async def send_until_told(stores: Settings, other: Receiver) -> None:
    from avatarlab_web import sending

    at_work = asyncio.create_task(sending.send(stores))
    try:
        await asyncio.to_thread(eventually, lambda: other.got, end_s=10)
    finally:
        at_work.cancel()
        await asyncio.gather(at_work, return_exceptions=True)


def test_one_caller_whose_many_receivers_hang_delays_no_other_caller(
    api: Server, stores: Settings, receiver: Receiver
) -> None:
    receiver.status = 0
    with listening("127.0.0.1") as other:
        hooks = [api.client.post("/webhooks", json={"url": receiver.url}).json()["id"] for _ in range(12)]
        api.name = "berta"
        bertas = api.client.post("/webhooks", json={"url": other.url}).json()["id"]
        wait_in_line(stores, [*((hook, receiver.url) for hook in hooks * 5), (bertas, other.url)])
        asyncio.run(send_until_told(stores, other))
    assert [json.loads(body) for _, body in other.got] == [{"n": 60}]


def test_a_caller_has_so_many_addresses_and_no_more(api: Server, receiver: Receiver) -> None:
    for _ in range(20):
        hook = api.client.post("/webhooks", json={"url": receiver.url})
        assert hook.status_code == 201
    refused = api.client.post("/webhooks", json={"url": receiver.url})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_webhooks")
    assert "20" in refused.json()["detail"]
    assert api.client.post("/webhooks", json={}).status_code == 201, (
        "which signs callbacks, and is one at most"
    )
    assert api.client.delete(f"/webhooks/{hook.json()['id']}").status_code == 204
    assert api.client.post("/webhooks", json={"url": receiver.url}).status_code == 201


def test_410_disables_the_endpoint(api: Server, stores: Settings, portrait: str, receiver: Receiver) -> None:
    api.client.post("/webhooks", json={"url": receiver.url})
    receiver.status = 410
    cancelled(api, stores, portrait, "gone")
    send(stores)
    (hook,) = api.client.get("/webhooks").json()
    assert hook["disabled_reason"] == "it answered 410 Gone"
    cancelled(api, stores, portrait, "gone-too")
    assert send(stores) == 0


def test_what_waits_for_a_disabled_endpoint_is_given_up_and_replayed_after_rotate(
    api: Server, stores: Settings, portrait: str, receiver: Receiver
) -> None:
    own = f"/webhooks/{api.client.post('/webhooks', json={'url': receiver.url}).json()['id']}"
    receiver.status = 500
    cancelled(api, stores, portrait, "waits")
    send(stores)  # it is to be tried again in seconds
    receiver.status = 410
    cancelled(api, stores, portrait, "gone-now")
    assert (send(stores), send(stores)) == (1, 0)
    newest, waiting = api.client.get(f"{own}/deliveries").json()
    assert (newest["last_status"], bool(newest["given_up_at"])) == (410, True)
    assert (bool(waiting["given_up_at"]), waiting["last_error"]) == (True, "its address is disabled")
    refused = api.client.post(f"{own}/deliveries/{waiting['id']}/replay")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
    assert "rotate" in refused.json()["detail"]

    receiver.status = 200
    api.client.post(f"{own}/rotate")
    assert send(stores) == 0, "nothing comes by itself that was given up"
    assert api.client.post(f"{own}/deliveries/{waiting['id']}/replay").status_code == 202
    cancelled(api, stores, portrait, "heard-again")
    assert send(stores) == 2


def test_a_private_network_is_not_reached_by_whatever_name(
    api: Server, stores: Settings, portrait: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AVATARLAB_WEBHOOK_NETWORKS")
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "169.254.169.254"):
        api.client.post("/webhooks", json={"url": f"http://{host}:{receiver.server_port}/"})
    cancelled(api, stores, portrait, "private")
    assert send(stores) == 5
    assert receiver.got == []
    with transaction(stores.pg_dsn) as db:
        errors = db.scalars(sa.select(m.WebhookDelivery.last_error)).all()
    assert all("private network" in str(error) for error in errors), errors


def test_an_address_that_is_no_name_is_told_to_nobody_and_stops_no_other(
    api: Server, stores: Settings, portrait: str, receiver: Receiver
) -> None:
    hosts = ("a..example.com", f"{'a' * 70}.example.com", "xn--n3h.net")
    hooks = [api.client.post("/webhooks", json={"url": f"http://{host}/"}).json() for host in hosts]
    api.client.post("/webhooks", json={"url": receiver.url})
    cancelled(api, stores, portrait, "no-name")
    assert send(stores) == 4
    assert len(receiver.got) == 1
    for hook in hooks:
        (delivery,) = api.client.get(f"/webhooks/{hook['id']}/deliveries").json()
        assert (delivery["attempts"], bool(delivery["last_error"])) == (1, True)


def test_an_order_may_name_an_address_of_its_own_that_is_told_signed_like_any_other(
    api: Server, stores: Settings, portrait: str, receiver: Receiver
) -> None:
    asked = {"script": "Call me.", "avatar": {"uri": portrait}, "callback_url": receiver.url}
    unsigned = api.order(asked, "unsigned")
    assert (unsigned.status_code, unsigned.json()["code"]) == (422, "request_invalid")
    assert "POST /webhooks without a url" in unsigned.json()["detail"]

    hook = api.client.post("/webhooks", json={}).json()
    assert api.client.post("/webhooks", json={}).json()["code"] == "webhook_exists"
    told = api.order(asked, "called-back").json()
    assert "callback_url" not in told["request"]
    cancelled(api, stores, portrait, "without-a-callback")
    pipeline.cancel(stores, told["id"], "enough")
    receiver.status = 410
    assert send(stores) == 1
    ((headers, body),) = receiver.got
    assert Webhook(hook["secret"]).verify(body, headers)["data"]["id"] == told["id"]
    (delivery,) = api.client.get(f"/webhooks/{hook['id']}/deliveries").json()
    assert (delivery["url"], delivery["last_status"]) == (receiver.url, 410)
    assert delivery["given_up_at"]
    assert api.client.get("/webhooks").json()[0]["disabled_at"] is None  # one address is gone, not all


def test_of_two_that_ask_for_the_secret_of_their_callbacks_at_once_one_is_told_that_there_is_one(
    api: Server, stores: Settings
) -> None:
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as other:
        with transaction(stores.pg_dsn) as db:
            webhooks.add(db, None, "anna", everybody=False)
            asked = other.submit(api.client.post, "/webhooks", json={})
            while not asked.done() and not db.scalar(waiting):
                pass
        refused = asked.result()
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_exists")


def test_a_callback_into_a_private_network_is_not_made(
    api: Server, stores: Settings, portrait: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AVATARLAB_WEBHOOK_NETWORKS")
    hook = api.client.post("/webhooks", json={}).json()
    asked = {"script": "Call me.", "avatar": {"uri": portrait}, "callback_url": receiver.url}
    pipeline.cancel(stores, api.order(asked, "called-inside").json()["id"], "enough")
    assert send(stores) == 1
    (delivery,) = api.client.get(f"/webhooks/{hook['id']}/deliveries").json()
    assert (receiver.got, delivery["attempts"]) == ([], 1)
    assert "private network" in delivery["last_error"]


class Resolver:
    """A name server under an attacker: each look-up of `trap.example` is answered by the next answer."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers, self.asked, self.real = list(answers), 0, socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if host not in ("trap.example", b"trap.example"):
            return self.real(host, port, *rest, **named)
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [entry for address in answer for entry in self.real(address, port, *rest, **named)]


@pytest.mark.parametrize(
    ("answers", "reached"),
    [
        ([("127.0.0.2",), ("127.0.0.1",)], ["127.0.0.2"]),
        ([("127.0.0.1",), ("127.0.0.2",)], []),
        ([("127.0.0.2", "127.0.0.1")], []),
    ],
)
def test_a_name_that_resolves_otherwise_the_next_moment_reaches_no_private_network(
    api: Server,
    stores: Settings,
    portrait: str,
    *,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[tuple[str, ...]],
    reached: list[str],
) -> None:
    monkeypatch.setenv("AVATARLAB_WEBHOOK_NETWORKS", "127.0.0.2/32")  # the public address of this test
    resolver = Resolver(*answers)
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with listening("127.0.0.2") as public, listening("127.0.0.1", public.server_port) as private:
        hook = api.client.post("/webhooks", json={"url": f"http://trap.example:{public.server_port}/"}).json()
        cancelled(api, stores, portrait, f"rebound-{len(answers)}-{answers[0][0]}")
        assert send(stores) == 1
        assert private.got == []
        assert ["127.0.0.2"] * len(public.got) == reached
    assert resolver.asked == 1  # what is judged is what is connected to
    (delivery,) = api.client.get(f"/webhooks/{hook['id']}/deliveries").json()
    assert bool(delivery["delivered_at"]) is bool(reached), delivery


def test_only_an_operator_hears_of_everybodys_renders(
    api: Server, stores: Settings, portrait: str, receiver: Receiver
) -> None:
    assert api.client.post("/webhooks", json={"url": receiver.url, "everybody": True}).status_code == 403
    hook = api.client.post("/webhooks", json={"url": receiver.url}).json()
    api.name = "berta"
    cancelled(api, stores, portrait, "bertas")
    assert send(stores) == 0
    assert api.client.delete(f"/webhooks/{hook['id']}").json()["code"] == "not_yours"
    api.roles |= {"operator"}
    assert api.client.post("/webhooks", json={"url": receiver.url, "everybody": True}).status_code == 201
    assert api.client.delete(f"/webhooks/{hook['id']}").status_code == 204


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> dict[str, starting.Run]:
    """The bulk runs that the API begins; Airflow is stood in for."""
    runs: dict[str, starting.Run] = {}

    def begin(_dag: str, run_id: str, conf: dict[str, Any], caller: str) -> None:
        runs.setdefault(run_id, starting.Run("queued", conf, caller, None, datetime.now(UTC)))

    monkeypatch.setattr(starting, "begin", begin)
    monkeypatch.setattr(starting, "look", lambda _dag, run_id: runs.get(run_id))
    return runs


def bulk_run(api: Server, name: str, address: str | None) -> Any:
    """Ask for a bulk run that finds nothing to do."""
    asked = {"renders": ["nobody"], "name": name}
    return api.client.post("/bulk-runs", json=asked | ({"callback_url": address} if address else {}))


def end_bulk_run(stores: Settings, runs: dict[str, starting.Run], name: str) -> None:
    planning.plan(stores, BulkRequest.parse(runs[name].conf), bulk_id=name, caller="anna", run_id=name)
    report.finish(stores, name, address="http://airflow.example")


def test_a_bulk_run_tells_an_address_of_its_own_that_it_has_finished(
    api: Server, stores: Settings, receiver: Receiver, begun: dict[str, starting.Run]
) -> None:
    refused = bulk_run(api, "own", receiver.url)
    assert (refused.status_code, begun) == (422, {})
    assert "POST /webhooks without a url" in refused.json()["detail"]
    hook = api.client.post("/webhooks", json={}).json()
    assert bulk_run(api, "own", receiver.url).status_code == 202
    assert "callback_url" not in begun["own"].conf, "whom to tell is nobody else's business"
    assert (send(stores), api.client.get(f"/webhooks/{hook['id']}/deliveries").json()) == (0, [])
    with transaction(stores.pg_dsn) as db:
        (held,) = db.scalars(
            sa.select(m.WebhookDelivery.id).where(m.WebhookDelivery.endpoint_id == hook["id"])
        )
    path = f"/webhooks/{hook['id']}/deliveries/{held}/replay"
    assert (api.client.post(path).status_code, send(stores)) == (404, 0), "what has not happened is not told"
    assert bulk_run(api, "own", "https://example.org/other").status_code == 202, "the first one holds"
    end_bulk_run(stores, begun, "own")
    assert bulk_run(api, "own", receiver.url).json()["state"] == "ended"
    assert (send(stores), send(stores)) == (1, 0)
    ((headers, body),) = receiver.got
    told = Webhook(hook["secret"]).verify(body, headers)
    assert (told["type"], told["data"]["id"], told["data"]["items"]) == ("bulk_run.finished", "own", 0)
    (delivery,) = api.client.get(f"/webhooks/{hook['id']}/deliveries").json()
    assert (delivery["url"], delivery["last_status"]) == (receiver.url, 200)


def test_a_bulk_run_that_is_cancelled_before_it_is_planned_tells_its_own_address(
    api: Server, stores: Settings, receiver: Receiver, begun: dict[str, starting.Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(starting, "stop", lambda *_: None)
    api.client.post("/webhooks", json={})
    assert bulk_run(api, "hasty", receiver.url).status_code == 202
    assert "hasty" in begun
    assert api.client.post("/bulk-runs/hasty/cancel").status_code == 200
    assert (send(stores), send(stores)) == (1, 0)
    told = json.loads(receiver.got[0][1])
    assert (told["type"], told["data"]["id"], told["data"]["outcome"]) == (
        "bulk_run.finished", "hasty", "cancelled"
    )  # fmt: skip
    assert "before it was planned" in told["data"]["reason"]["text"]


def test_nothing_waits_for_the_end_of_a_bulk_run_that_airflow_refused(
    api: Server, stores: Settings, receiver: Receiver, begun: dict[str, starting.Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    api.client.post("/webhooks", json={})
    monkeypatch.setattr(starting, "begin", lambda *_: "labels: not as the form has them")
    refused = bulk_run(api, "refused", receiver.url)
    assert (refused.status_code, begun) == (422, {})
    with transaction(stores.pg_dsn) as db:
        assert webhooks.held_for_unplanned(db) == {}


def test_an_order_of_a_bulk_run_that_died_before_its_run_began_is_told_as_it_was_asked_for_last(
    api: Server, stores: Settings, receiver: Receiver, begun: dict[str, starting.Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    api.client.post("/webhooks", json={})
    for died, asked_last, calls in (("again", receiver.url, 1), ("no-more", None, 0)):
        with monkeypatch.context() as patch:
            patch.setattr(starting, "begin", lambda *_: 1 / 0)  # the process ends here
            assert bulk_run(api, died, "https://example.org/first").status_code == 500
        assert (bulk_run(api, died, asked_last).status_code, died in begun) == (202, True)
        end_bulk_run(stores, begun, died)
        assert send(stores) == calls
    assert len(receiver.got) == 1
