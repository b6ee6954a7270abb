"""What no body may be, held while it comes in and before anything is made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avatarlab_ops import strict_json
from avatarlab_ops.errors import InputError


class BoundedBodies:
    """Refuses (413) what comes in beyond `most(path)` bytes, whatever length the body says it has.

    FastAPI reads the body of a route before it asks who calls: without a bound a stranger could fill memory
    and disk.
    """

    def __init__(self, app: ASGIApp, most: Callable[[str], int]) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        most = self.most(scope.get("path", "").removeprefix(scope.get("root_path", "")))
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > most:
                raise HTTPException(413, f"a body has at most {most:,} bytes here")
            return message

        await self.app(scope, counted, send)


class StrictBodies:
    """Refuses a body over a megabyte (413), whatever length it says, and a key given twice (422).

    `check` may raise InputError (422) for what else no body may say.
    """

    def __init__(self, app: ASGIApp, check: Callable[[object], None] = lambda _: None) -> None:
        self.app, self.check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        body = bytearray()
        told = scope["type"] == "http" and _may_be_json(Headers(scope=scope))

        async def checked() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            if len(body) > strict_json.MAX_BYTES:
                most = f"{strict_json.MAX_BYTES:,}"
                raise HTTPException(413, f"a body has at most {most} bytes; files go by POST /uploads")
            if told and body and message["type"] == "http.request" and not message.get("more_body"):
                await asyncio.to_thread(self._read, bytes(body))  # `check` may ask a store
            return message

        await self.app(scope, checked, send)

    def _read(self, body: bytes) -> None:
        """Raise HTTPException (422) for what every other door refuses, too."""
        try:
            self.check(strict_json.loads(body, "the body"))
        except InputError as error:
            raise HTTPException(422, str(error)) from error


def _may_be_json(headers: Headers) -> bool:
    """Whether FastAPI may read the body as JSON: every type that it does, in any case, and some more."""
    return "json" in headers.get("content-type", "").lower()
