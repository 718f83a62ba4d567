"""The body of a request as it arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from starlette.requests import ClientDisconnect, Request

LINGER_S: Final = 1.0


class Body:
    """Chunks, once, and whether that was all."""

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self._closes = request.headers.get("connection", "").lower() == "close"
        self._asks_first = "expect" in request.headers
        self._is_complete = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """Bytes in order. Raises ClientDisconnect."""
        while not self._is_complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._is_complete = not message.get("more_body", False)
            yield message.get("body", b"")

    async def discard(self) -> None:
        """Read on for a moment, before a refusal: a socket closed with unread bytes takes the answer with it.

        Only where the connection ends after the answer (else the server reads on by itself), and not where the client
        has asked whether to send at all.
        """
        if not self._closes or self._asks_first:
            return
        with suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(LINGER_S):
                async for _ in self.chunks():
                    pass
