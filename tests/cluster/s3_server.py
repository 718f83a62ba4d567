"""An S3 server on loopback with a gate: moto's, run by an environment of its own (s3-server.txt).

    python s3_server.py PORT

PUT /_gate?allow=N lets N more requests that change something through, and then holds all of them; GET /_gate says how
many it has let through since, and how many it holds; PUT /_gate refuses those that are held, and lets all through.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

Answer = Callable[..., Any]


class Gate:
    """Counts the requests that change something, and holds them after a number."""

    def __init__(self, app: Callable[[dict[str, Any], Answer], Iterable[bytes]]) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._passed = 0
        self._held = 0
        self._allowed: int | None = None
        self._open = threading.Event()

    def __call__(self, environ: dict[str, Any], answer: Answer) -> Iterable[bytes]:
        """One request."""
        method = environ["REQUEST_METHOD"]
        if environ["PATH_INFO"] == "/_gate":
            return self._gate(method, parse_qs(environ.get("QUERY_STRING", "")), answer)
        if method not in ("GET", "HEAD"):
            with self._lock:
                opened, is_held = self._open, self._allowed is not None and self._passed >= self._allowed
                self._held += is_held
                self._passed += not is_held
            if is_held:
                opened.wait()
                answer("503 Service Unavailable", [("Content-Length", "0")])
                return []
        return self._app(environ, answer)

    def _gate(self, method: str, query: dict[str, list[str]], answer: Answer) -> Iterable[bytes]:
        with self._lock:
            if method == "PUT":
                self._open.set()
                self._open, self._passed, self._held = threading.Event(), 0, 0
                self._allowed = int(query["allow"][0]) if "allow" in query else None
            body = json.dumps({"passed": self._passed, "held": self._held}).encode()
        answer("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


class Quiet(WSGIRequestHandler):
    """Keeps connections, and logs nothing."""

    protocol_version = "HTTP/1.1"

    def handle_expect_100(self) -> bool:
        """Werkzeug answers `Expect: 100-continue` by itself; a second answer would be taken for that to the request."""
        return True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


if __name__ == "__main__":
    app = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", int(sys.argv[1]), Gate(app), threaded=True, request_handler=Quiet)
