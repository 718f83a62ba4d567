"""uvicorn's HTTP/1.1, with two things that it lacks: JSON for requests that are no HTTP, and a deadline for heads."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from train.serving.body import LINGER_S
from train.serving.metrics import Metrics
from train.serving.refusals import problem


class JsonProtocol(H11Protocol):
    """One connection. Subclass it with the deadline set."""

    head_deadline_s: float = 30.0
    """From the first byte of a request to the end of its head; bodies have a deadline of their own."""

    _head_timer: asyncio.TimerHandle | None = None
    _is_refused = False

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._is_refused:
            return
        super().data_received(data)
        has_begun = self.conn.their_state is h11.IDLE and not self._is_refused
        if not has_begun and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        elif has_begun and self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_deadline_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or we are."""
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for bytes that are no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "bad_http", f"no valid HTTP request: {msg}")

    def _head_is_late(self) -> None:
        limit = f"{self.head_deadline_s:g} s"
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "timeout", f"the head of the request did not arrive in {limit}")

    def _refuse(self, status: HTTPStatus, reason: str, error: str) -> None:
        """Say so if nothing was said yet, and close: a little later, since what was not read would take it back."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            metrics: Metrics = self.app_state["metrics"]
            metrics.request(reason)
            body = json.dumps(problem(reason, error)).encode()
            headers: list[tuple[str, Any]] = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)
