"""HTTP of the service with a deadline for the head of a request: nobody keeps a connection by sending on slowly."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol_with_deadline(seconds: float) -> type[H11Protocol]:
    """uvicorn's protocol; a head that is not complete so many seconds after its first byte ends the connection.

    uvicorn itself waits for ever, also after a refusal whose sender just goes on.
    """

    class WithDeadline(H11Protocol):
        def __init__(self, *given: Any, **chosen: Any) -> None:
            super().__init__(*given, **chosen)
            self._head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_watching()
            super().connection_lost(exc)

        def _watch(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_watching()
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(seconds, self.transport.close)

        def _stop_watching(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    return WithDeadline
