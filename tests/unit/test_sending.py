"""Webhooks: what goes wrong with one delivery stays with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from avatarlab_web import sending

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import webhooks


def test_whatever_keeping_an_attempt_raises_ends_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unexpected(*_: object) -> None:
        raise KeyError("state")

    async def sent() -> None:
        attempt = webhooks.Attempt(
            "one", "endpoint", "https://receiver.example/", ("whsec_c2VjcmV0",), b"{}", 1
        )
        answers = httpx.MockTransport(lambda _: httpx.Response(200))
        where = Settings("postgresql://h/d", "mongodb://h/d", "http://h", "key", "secret", Path("/tmp"))  # noqa: S108
        async with httpx.AsyncClient(transport=answers) as client:
            await sending._try(where, client, attempt)

    monkeypatch.setattr(sending, "_settle", unexpected)
    asyncio.run(sent())
    assert "webhook one is sent again in a minute" in caplog.text
    assert "KeyError" in caplog.text
