"""A web server on loopback for drawn pictures, some of which it serves as bad servers do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

FAULTS: Final = ("missing", "forbidden", "page", "cut", "empty", "busy")
"""First part of a path that is served badly; `busy` only the first time."""
_STATUS: Final = {"missing": 404, "forbidden": 403}


class PictureServer(ThreadingHTTPServer):
    """Serves the files below a folder, and counts requests."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder.resolve()
        self.requests = 0
        self.seen: set[str] = set()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.server_port}/{quote(path)}"


@contextmanager
def serving(folder: Path) -> Iterator[PictureServer]:
    """The server runs in a thread of its own until the block ends."""
    server = PictureServer(folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def bundle_rows(server: PictureServer) -> list[tuple[str, ...]]:
    """A breakdown list of every picture with the bad ones strewn in, its header first."""
    pictures = sorted(str(path.relative_to(server.folder)) for path in server.folder.rglob("*") if path.is_file())
    urls = [server.url(f"files/{path}") for path in pictures]
    for number, fault in enumerate(FAULTS):
        urls.insert(number * 20, server.url(f"{fault}/{pictures[number % len(pictures)]}"))
    urls.insert(7, "not-a-url")
    header = ("identifier", "dataObjectVersionID", "mimeType", "eolMediaURL", "ancestry")
    numbered = enumerate(urls, 7_000_000)
    return [header, *((f"EOL-demo-{number}", str(number), "image/jpeg", url, "Life") for number, url in numbered)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PictureServer

    def do_GET(self) -> None:
        self.server.requests += 1
        kind, _, name = unquote(self.path).lstrip("/").partition("/")
        path = (self.server.folder / name).resolve()
        is_first = self.path not in self.server.seen
        self.server.seen.add(self.path)
        if kind in _STATUS or not path.is_relative_to(self.server.folder) or not path.is_file():
            self._answer(_STATUS.get(kind, 404), b"no such picture")
        elif kind == "busy" and is_first:
            self._answer(503, b"later")
        elif kind == "page":
            self._answer(200, b"<!DOCTYPE html><title>Not a picture</title>")
        elif kind == "empty":
            self._answer(200, b"")
        else:
            content = path.read_bytes()
            self._answer(200, content[: len(content) // 2] if kind == "cut" else content)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
