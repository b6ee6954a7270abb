"""Webhooks: what goes wrong with one delivery stays with it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx
import pytest
from avatarlab_web import outward, sending
from sqlalchemy.exc import OperationalError

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import webhooks

WHERE = Settings("postgresql://h/d", "mongodb://h/d", "http://h", "key", "secret", Path("/tmp"))  # noqa: S108
ATTEMPT = webhooks.Attempt(
    "one", "endpoint", "anna", "https://receiver.example/", ("whsec_c2VjcmV0",), b"{}", 1
)


def test_whatever_keeping_an_attempt_raises_ends_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unexpected(*_: object) -> None:
        raise KeyError("state")

    async def sent() -> None:
        answers = httpx.MockTransport(lambda _: httpx.Response(200))
        async with httpx.AsyncClient(transport=answers) as client:
            await sending._try(WHERE, client, ATTEMPT)

    monkeypatch.setattr(sending, "_settle", unexpected)
    asyncio.run(sent())
    assert "webhook one is sent again in a minute" in caplog.text
    assert "KeyError" in caplog.text


def test_a_catalog_that_is_away_for_a_moment_breaks_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being sent ends as it would have; the looks that follow it find the catalog again."""
    looked = threading.Event()
    due = iter([[ATTEMPT], None])
    kept: list[int | None] = []

    def claim(*_: object) -> list[webhooks.Attempt]:
        found = next(due, [])
        if found is None:
            looked.set()
            raise OperationalError("SELECT", {}, Exception("away"))
        return found

    async def answer(_: httpx.Request) -> httpx.Response:
        await asyncio.to_thread(looked.wait)
        return httpx.Response(200)

    monkeypatch.setattr(sending, "LOOK_S", 0.01)
    monkeypatch.setattr(sending, "_claim", claim)
    monkeypatch.setattr(sending, "_settle", lambda *told: kept.append(told[2]))
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(outward, "client", lambda: client)
    assert asyncio.run(sending.send(WHERE)) == 1
    assert kept == [200]
