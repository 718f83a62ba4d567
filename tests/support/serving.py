"""The real service on a loopback port, and requests to it, well-formed or not."""

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from threading import Thread
from typing import Any, Final

from train.fit.attempts import find_package
from train.serving.application import Service
from train.serving.server import listen, make_server
from train.serving.settings import ServeSettings

BOUNDARY: Final = "-----picture-7"
TIMEOUT_S: Final = 60


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A running service."""

    port: int
    service: Service

    def connect(self) -> socket.socket:
        """An open connection."""
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)

    def send(self, raw: bytes) -> Answer:
        """The answer to these bytes."""
        with self.connect() as connection:
            connection.sendall(raw)
            return receive(connection)

    def get(self, path: str) -> Answer:
        """The answer to a plain GET."""
        return self.send(head("GET", path, {"Connection": "close"}))

    def post(self, *images: bytes | Path, query: str = "") -> Answer:
        """The answer to well-formed images."""
        return self.send(post(form(*((f"{at}.jpg", image) for at, image in enumerate(images))), query=query))

    def metric(self, line: str) -> float:
        """The value of one line of /metrics, 0 where it is not there."""
        for text in self.get("/metrics").body.decode().splitlines():
            name, _, value = text.rpartition(" ")
            if name == line:
                return float(value)
        return 0.0


@contextmanager
def served(package: Path, **settings: Any) -> Iterator[Served]:
    """The service on a free port, in a thread of its own."""
    wanted = ServeSettings(port=0, **settings)
    listener = listen(wanted.host, wanted.port)
    port = listener.getsockname()[1]
    service, server = make_server(find_package(package), wanted)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Served(port, service)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def receive(connection: socket.socket) -> Answer:
    """The next answer on a connection."""
    with HTTPResponse(connection) as response:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


def head(method: str, path: str, headers: dict[str, str]) -> bytes:
    """The head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join((*lines, "", "")).encode()


def post(body: bytes, *, query: str = "", boundary: str | None = BOUNDARY, **headers: str) -> bytes:
    """A whole POST; headers: with _ for -, "" leaves one out."""
    kind = "multipart/form-data" + (f"; boundary={boundary}" if boundary else "")
    usual = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    named = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return head("POST", f"/classify{query}", {name: value for name, value in named.items() if value}) + body


def form(*files: tuple[str, bytes | Path], field: str = "img") -> bytes:
    """A multipart body with these files."""
    return multipart(*(part(f'name="{field}"; filename="{name}"'.encode(), _content(file)) for name, file in files))


def part(disposition: bytes, content: bytes) -> bytes:
    """One part of a multipart body."""
    return b"Content-Disposition: form-data; " + disposition + b"\r\n\r\n" + content


def multipart(*parts: bytes) -> bytes:
    """Parts with their boundaries."""
    mark = f"--{BOUNDARY}".encode()
    return b"".join(mark + b"\r\n" + each + b"\r\n" for each in parts) + mark + b"--\r\n"


def chunked(chunks: Iterable[bytes]) -> bytes:
    """A body whose length was not declared."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def _content(file: bytes | Path) -> bytes:
    return file.read_bytes() if isinstance(file, Path) else file
