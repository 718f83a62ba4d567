"""ASGI middleware that bounds a request's body: its bytes, its time to arrive, and what is read after an answer."""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from train.serving.refusals import Refused, too_large
from train.serving.settings import ServeSettings

LINGER_S: Final = 1.0
"""How long an early answer waits for the rest of the body: closing with unread bytes would take the answer back."""


class BodyLimit:
    """Raises Refused (408, 413) within the application as soon as a body is over a limit, and closes what sends on."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            body = _Body(Headers(scope=scope), receive, send, self._settings)
            await self._app(scope, body.receive, body.send)
        else:
            await self._app(scope, receive, send)


class _Body:
    """The body of one request."""

    def __init__(self, headers: Headers, receive: Receive, send: Send, settings: ServeSettings) -> None:
        self._receive = receive
        self._send = send
        self._max_bytes = settings.max_request_bytes
        self._limit_s = settings.deadline_s
        self._deadline = asyncio.get_running_loop().time() + settings.deadline_s
        self._asks_first = "expect" in headers
        self._bytes = 0
        self._is_declared_too_large = int(headers.get("content-length", 0)) > self._max_bytes
        self._is_complete = False

    async def receive(self) -> Message:
        """The next message. Raises Refused where the limits have no room for it."""
        if self._is_declared_too_large:
            raise self._too_large()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as problem:
            error = f"the body did not arrive in {self._limit_s:g} s"
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "timeout", error) from problem
        self._is_complete = not message.get("more_body", False)
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._max_bytes:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """Passes the answer on. Where the body is still coming, the connection ends with it."""
        if message["type"] == "http.response.start" and not self._is_complete:
            await self._discard()
            if not self._is_complete:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self._send(message)

    async def _discard(self) -> None:
        """Reads on for a moment, unless the client has asked whether to send at all."""
        if self._asks_first:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while not self._is_complete:
                    self._is_complete = not (await self._receive()).get("more_body", False)

    def _too_large(self) -> Refused:
        return too_large("too_large", f"wanted a body of at most {self._max_bytes:,} bytes")
