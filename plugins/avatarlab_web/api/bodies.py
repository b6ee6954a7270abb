"""The limit of a body, held while it comes in and before anything is parsed."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avatarlab_ops.strict_json import MAX_BYTES


class SmallBodies:
    """Refuses a body over a megabyte (413), whether it says its length or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        length = 0

        async def counted() -> Message:
            nonlocal length
            message = await receive()
            length += len(message.get("body", b""))
            if length > MAX_BYTES:
                raise HTTPException(413, f"a body has at most {MAX_BYTES:,} bytes; files go by POST /uploads")
            return message

        await self.app(scope, counted, send)
