"""What serves files where nginx cannot be had: python -m benchmarks.fallback_server ROOT PORT LATENCY_S.

Two aiohttp processes that share one port; files stay in memory once read.
"""

import asyncio
import mimetypes
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Final

from aiohttp import web

PROCESSES: Final = 2


def main() -> None:
    """Serve until terminated."""
    root, port, latency_s = Path(sys.argv[1]).resolve(), int(sys.argv[2]), float(sys.argv[3])
    for _ in range(PROCESSES - 1):
        if os.fork() == 0:
            break
    web.run_app(_app(root, latency_s), host="127.0.0.1", port=port, reuse_port=True, print=None, access_log=None)


def _app(root: Path, latency_s: float) -> web.Application:
    @lru_cache(maxsize=20_000)
    def read(name: str) -> bytes:
        path = (root / name).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise web.HTTPNotFound
        return path.read_bytes()

    async def answer(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if latency_s:
            await asyncio.sleep(latency_s)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return web.Response(body=read(name), content_type=kind)

    app = web.Application()
    app.add_routes([web.get("/{number}/{name:.+}", answer)])
    return app


if __name__ == "__main__":
    main()
