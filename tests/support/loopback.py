"""A web server on this machine that serves files and fails in every way that a test may ask for.

    python -m tests.support.loopback --root DIR --port 8080

Files lie below /files/. The faults are routes, each good for any number of distinct URLs:

    /files/NAME                     the file
    /status/CODE/ANY                that status, with a small body
    /late-status/CODE/ANY           the same, with the body a moment after the headers
    /flaky/CODE/N/NAME              that status to the first N requests of the path (?retry_after=S), then the file
    /limited/RATE/NAME              429 to whoever asks for more than RATE such paths in a second, else the file
    /html/ANY                       a web page with status 200 and type image/jpeg
    /cut/NAME                       promises the whole file, closes halfway
    /cut-chunked/NAME               the same without Content-Length
    /flaky-cut/N/NAME               cut for the first N requests of the path
    /truncated/NAME                 half the file as a complete answer
    /gzip/NAME                      the file compressed, whatever the client accepts
    /bomb/BYTES/ANY                 that many zeros, compressed a thousandfold
    /big/BYTES/ANY                  that many bytes, announced
    /big-chunked/BYTES/ANY          that many bytes, not announced
    /endless/ANY                    never ends
    /trickle/ANY                    a byte every 50 ms
    /slow/SECONDS/NAME              the file after a silence
    /stall/NAME                     half the file, then silence
    /versioned/VERSION/LAST/NAME    the file with VERSION as its ETag (`-`: none), and LAST as Last-Modified in seconds
                                    since 1970; 304 to who names either (?opt=out: with X-Robots-Tag: noai)
    /whimsical/NAME                 the file with another ETag in every answer, a weak one
    /precondition/NAME              the file with an ETag; 412 to any request with a condition
    /empty/ANY                      status 200 without a body
    /close/ANY                      closes the connection without an answer
    /garbage/ANY                    an answer that is not HTTP
    /bad-header/ANY                 an answer with a header that is none
    /redirect/CODE/ANY?to=URL       a redirect
    /redirect-no-location/ANY       a redirect that does not say where to
    /redirect-loop/ANY              a redirect to itself
    /redirect-deep/N/NAME           N redirects, then the file
    /robots/DIRECTIVE/NAME          the file with X-Robots-Tag: DIRECTIVE
"""

import argparse
import asyncio
import gzip
import mimetypes
import random
import ssl
import threading
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_START_S: Final = 20.0
_CHUNK: Final = b"\xff\xd8\xff\xe0" + b"\x00" * 16_380
"""What a JPEG begins with, so that nobody gives up on it early."""


class Loopback:
    """The server in a thread of its own, for the length of a `with` block.

    root: the folder that file names are relative to. latency_s: how long every answer takes to begin. host: the address
    of this machine that it listens at.
    """

    def __init__(
        self,
        root: Path | None = None,
        latency_s: float = 0.0,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.root = root
        self.host = host
        self.latency_s = latency_s
        self.outage: tuple[int, float] | None = None
        """From this number of requests on, every connection is closed without an answer for so many seconds."""
        self.storm: tuple[int, float, float] | None = None
        """From this number of requests on, for so many seconds, such a share of requests is answered by 429."""
        self.changed_etags: dict[str, str] = {}
        """VERSION of /versioned -> what its ETag is by now."""
        self.port = port
        self.requests: list[str] = []
        """Paths with query, as they were asked for, in order."""
        self.asked_at: list[float] = []
        """When each request came, in seconds of the monotonic clock."""
        self.headers: list[dict[str, str]] = []
        """Of each request."""
        self.in_flight = 0
        self.peak_in_flight = 0
        self.clients: set[tuple[str, int]] = set()
        """Address and port of every connection that brought a request."""
        self._tls = tls
        self._seen: Counter[str] = Counter()
        self._passed: dict[str, list[float]] = {}
        self._since: dict[tuple[float, ...], float] = {}
        self._dice = random.Random(1)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="loopback", daemon=True)
        self._problem: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_START_S) or self._problem is not None:
            raise RuntimeError(f"the loopback server did not start on port {self.port}") from self._problem
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_S)

    @property
    def base(self) -> str:
        """http://127.0.0.1:PORT, or https where it speaks TLS."""
        return f"http{'s' if self._tls else ''}://{self.host}:{self.port}"

    def url(self, path: str) -> str:
        """The URL of a path; one that starts with no slash is a file's name relative to root."""
        return self.base + (path if path.startswith("/") else f"/files/{quote(path)}")

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return self.requests.count(path)

    @property
    def is_struck(self) -> bool:
        """Whether its outage or its storm has begun."""
        return any(trouble in self._since for trouble in (self.outage, self.storm))

    # From here on, in the server's thread.

    def _run(self) -> None:
        try:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._serve())
        except BaseException as problem:
            self._problem = problem
            self._ready.set()
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()

        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._watch(request, handler)

        app = web.Application(middlewares=[watch])
        app.add_routes(web.get(pattern, handler) for pattern, handler in self._routes().items())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, self.host, self.port, backlog=1024, ssl_context=self._tls)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            await runner.cleanup()

    def _routes(self) -> dict[str, Handler]:
        return {
            "/files/{name:.+}": self._file,
            "/status/{code}/{any:.*}": self._status,
            "/late-status/{code}/{any:.*}": self._late_status,
            "/flaky/{code}/{times}/{name:.+}": self._flaky,
            "/limited/{rate}/{name:.+}": self._limited,
            "/html/{any:.*}": self._html,
            "/cut/{name:.+}": self._cut,
            "/cut-chunked/{name:.+}": self._cut_chunked,
            "/flaky-cut/{times}/{name:.+}": self._flaky_cut,
            "/truncated/{name:.+}": self._truncated,
            "/gzip/{name:.+}": self._gzip,
            "/bomb/{bytes}/{any:.*}": self._bomb,
            "/big/{bytes}/{any:.*}": self._big,
            "/big-chunked/{bytes}/{any:.*}": self._big_chunked,
            "/endless/{any:.*}": self._endless,
            "/trickle/{any:.*}": self._trickle,
            "/slow/{seconds}/{name:.+}": self._slow,
            "/stall/{name:.+}": self._stall,
            "/empty/{any:.*}": self._empty,
            "/close/{any:.*}": self._close,
            "/garbage/{any:.*}": self._garbage,
            "/bad-header/{any:.*}": self._bad_header,
            "/redirect/{code}/{any:.*}": self._redirect,
            "/redirect-no-location/{any:.*}": self._redirect_no_location,
            "/redirect-loop/{any:.*}": self._redirect_loop,
            "/redirect-deep/{times}/{name:.+}": self._redirect_deep,
            "/versioned/{version}/{last}/{name:.+}": self._versioned,
            "/whimsical/{name:.+}": self._whimsical,
            "/precondition/{name:.+}": self._precondition,
            "/robots/{directive}/{name:.+}": self._robots,
        }

    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests.append(request.raw_path)
        self.asked_at.append(time.monotonic())
        self.headers.append(dict(request.headers))
        if request.transport is not None:
            self.clients.add(request.transport.get_extra_info("peername"))
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            if self._is_within(self.outage):
                return _raw(request, b"")
            if self._is_within(self.storm) and self.storm is not None and self._dice.random() < self.storm[2]:
                return _refuse(request, 429)
            return await handler(request)
        finally:
            self.in_flight -= 1

    def _is_within(self, trouble: tuple[float, ...] | None) -> bool:
        """Whether a trouble has begun, by the number of requests, and is not over."""
        if trouble is None or len(self.requests) < trouble[0]:
            return False
        return time.monotonic() - self._since.setdefault(trouble, time.monotonic()) < trouble[1]

    def _read(self, request: web.Request) -> bytes:
        root = self.root
        path = None if root is None else (root / request.match_info["name"]).resolve()
        if root is None or path is None or not path.is_relative_to(root.resolve()) or not path.is_file():
            raise web.HTTPNotFound
        return path.read_bytes()

    async def _file(self, request: web.Request) -> web.StreamResponse:
        kind = mimetypes.guess_type(request.match_info["name"])[0] or "application/octet-stream"
        return web.Response(body=self._read(request), content_type=kind)

    async def _status(self, request: web.Request) -> web.StreamResponse:
        return _refuse(request, int(request.match_info["code"]))

    async def _late_status(self, request: web.Request) -> web.StreamResponse:
        return await _stream(request, _late(b"no such image", 0.02), length=13, status=int(request.match_info["code"]))

    async def _flaky(self, request: web.Request) -> web.StreamResponse:
        if self._is_early(request):
            return _refuse(request, int(request.match_info["code"]))
        return await self._file(request)

    async def _limited(self, request: web.Request) -> web.StreamResponse:
        rate, now = float(request.match_info["rate"]), time.monotonic()
        passed = self._passed.setdefault(request.match_info["rate"], [])
        if sum(at > now - 1 for at in passed) >= rate:
            return _refuse(request, 429)
        passed.append(now)
        return await self._file(request)

    async def _html(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text="<!DOCTYPE html><html><body>Not found</body></html>", content_type="image/jpeg")

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        body = self._read(request)
        return await _stream(request, _pieces(body[: len(body) // 2]), length=len(body), is_cut=True)

    async def _cut_chunked(self, request: web.Request) -> web.StreamResponse:
        body = self._read(request)
        return await _stream(request, _pieces(body[: len(body) // 2]), is_cut=True)

    async def _flaky_cut(self, request: web.Request) -> web.StreamResponse:
        return await (self._cut(request) if self._is_early(request) else self._file(request))

    async def _truncated(self, request: web.Request) -> web.StreamResponse:
        body = self._read(request)
        return web.Response(body=body[: len(body) // 2], content_type="image/jpeg")

    async def _gzip(self, request: web.Request) -> web.StreamResponse:
        return _compressed(gzip.compress(self._read(request), 1))

    async def _bomb(self, request: web.Request) -> web.StreamResponse:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        left = int(request.match_info["bytes"])
        packed = [packer.compress(bytes(min(1 << 20, left - at))) for at in range(0, left, 1 << 20)]
        return _compressed(b"".join(packed) + packer.flush())

    async def _big(self, request: web.Request) -> web.StreamResponse:
        size = int(request.match_info["bytes"])
        return await _stream(request, _zeros(size), length=size)

    async def _big_chunked(self, request: web.Request) -> web.StreamResponse:
        return await _stream(request, _zeros(int(request.match_info["bytes"])))

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        return await _stream(request, _repeat(_CHUNK, 0))

    async def _trickle(self, request: web.Request) -> web.StreamResponse:
        return await _stream(request, _repeat(b"\xff", 0.05))

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(float(request.match_info["seconds"]))
        return await self._file(request)

    async def _stall(self, request: web.Request) -> web.StreamResponse:
        body = self._read(request)
        return await _stream(request, _half_then_silence(body), length=len(body))

    async def _empty(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"", content_type="image/jpeg")

    async def _close(self, request: web.Request) -> web.StreamResponse:
        return _raw(request, b"")

    async def _garbage(self, request: web.Request) -> web.StreamResponse:
        return _raw(request, b"\x00\x01\x02 this is not HTTP\r\n\r\n")

    async def _bad_header(self, request: web.Request) -> web.StreamResponse:
        return _raw(request, b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 1\r\n\r\nx")

    async def _redirect(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=int(request.match_info["code"]), headers={"Location": request.query["to"]})

    async def _redirect_no_location(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=301)

    async def _redirect_loop(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": request.raw_path})

    async def _redirect_deep(self, request: web.Request) -> web.StreamResponse:
        left, name = int(request.match_info["times"]), quote(request.match_info["name"])
        target = f"/redirect-deep/{left - 1}/{name}" if left > 1 else f"/files/{name}"
        return web.Response(status=302, headers={"Location": target})

    async def _versioned(self, request: web.Request) -> web.StreamResponse:
        body = self._read(request)
        version = self.changed_etags.get(request.match_info["version"], request.match_info["version"])
        etag, last = f'"{version}"', formatdate(int(request.match_info["last"]), usegmt=True)
        headers = {"Last-Modified": last} | ({} if etag == '"-"' else {"ETag": etag})
        named, since = request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")
        if "opt" in request.query:
            headers["X-Robots-Tag"] = "noai"
        if named == etag or (named is None and since == last):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type="image/jpeg", headers=headers)

    async def _whimsical(self, request: web.Request) -> web.StreamResponse:
        headers = {"ETag": f'W/"{time.monotonic_ns()}"'}
        return web.Response(body=self._read(request), content_type="image/jpeg", headers=headers)

    async def _precondition(self, request: web.Request) -> web.StreamResponse:
        if request.headers.keys() & {"If-None-Match", "If-Modified-Since"}:
            return web.Response(status=412)
        return web.Response(body=self._read(request), content_type="image/jpeg", headers={"ETag": '"once"'})

    async def _robots(self, request: web.Request) -> web.StreamResponse:
        headers = {"X-Robots-Tag": request.match_info["directive"]}
        return web.Response(body=self._read(request), content_type="image/jpeg", headers=headers)

    def _is_early(self, request: web.Request) -> bool:
        self._seen[request.raw_path] += 1
        return self._seen[request.raw_path] <= int(request.match_info["times"])


def _refuse(request: web.Request, status: int) -> web.Response:
    headers = {"Retry-After": request.query["retry_after"]} if "retry_after" in request.query else {}
    return web.Response(status=status, text=f"status {status}", headers=headers)


def _compressed(packed: bytes) -> web.Response:
    return web.Response(body=packed, content_type="image/jpeg", headers={"Content-Encoding": "gzip"})


def _raw(request: web.Request, answer: bytes) -> web.Response:
    """Bytes as they are, then the end of the connection."""
    assert request.transport is not None
    request.transport.write(answer)
    request.transport.close()
    return web.Response()


async def _stream(
    request: web.Request,
    pieces: AsyncIterator[bytes],
    *,
    length: int | None = None,
    is_cut: bool = False,
    status: int = 200,
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": "image/jpeg"})
    if length is None:
        response.enable_chunked_encoding()
    else:
        response.content_length = length
    await response.prepare(request)
    async for piece in pieces:
        await response.write(piece)
    if is_cut and request.transport is not None:
        request.transport.close()
    return response


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _late(body: bytes, pause_s: float) -> AsyncIterator[bytes]:
    await asyncio.sleep(pause_s)
    yield body


async def _zeros(size: int) -> AsyncIterator[bytes]:
    for at in range(0, size, 1 << 16):
        yield bytes(min(1 << 16, size - at))


async def _repeat(piece: bytes, pause_s: float) -> AsyncIterator[bytes]:
    while True:
        yield piece
        await asyncio.sleep(pause_s)


async def _half_then_silence(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    await asyncio.Event().wait()


def main() -> None:
    """Serves until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder of the files to serve")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="before every answer")
    options = parser.parse_args()
    with Loopback(options.root, options.latency, options.port) as server:
        print(server.base, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
