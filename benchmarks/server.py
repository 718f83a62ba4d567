"""The web server that every arm fetches from: nginx on loopback, with a given silence before each answer.

nginx comes from Debian's packages (nginx-light, and libnginx-mod-http-echo for the silence) and is installed here where
it is missing and that is allowed. Without it a small aiohttp server in two processes answers; `Server.kind` says which.
The silence is added to each answer, not to the opening of a connection.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("nginx-light", "libnginx-mod-http-echo")
ECHO_MODULE: Final = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
START_S: Final = 20.0

_CONFIG: Final = """\
load_module {module};
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log {access_log};
    sendfile on;
    tcp_nopush on;
    keepalive_requests 10000000;
    open_file_cache max=20000 inactive=1h;
    open_file_cache_valid 1s;
    types {{ image/jpeg jpg jpeg; image/png png; image/gif gif; image/webp webp; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {location}
    }}
}}
"""
_FILES: Final = "rewrite ^/[0-9]+/(.*)$ /$1 break; root {root};"
_AT_ONCE: Final = f"location / {{{{ {_FILES} }}}}"
_LATE: Final = f"location / {{{{ echo_sleep {{latency_s}}; echo_exec @files; }}}} location @files {{{{ {_FILES} }}}}"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    kind: str
    """nginx or aiohttp."""
    port: int
    pid: int
    access_log: Path | None = None

    def url(self, name: str, number: int) -> str:
        """A file's URL, a different one for every number. In its path: Ray's downloader cannot ask with a query."""
        return f"http://127.0.0.1:{self.port}/{number}/{quote(name)}"

    def requests(self) -> int:
        """Answers so far. Raises RuntimeError where nobody counts them: see served()."""
        if self.access_log is None:
            raise RuntimeError(f"{self.kind} does not count its requests")
        return len(self.access_log.read_bytes().splitlines())

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far."""
        parent = psutil.Process(self.pid)
        times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
        return float(sum(time.user + time.system for time in times))


@contextmanager
def served(
    root: Path, latency_s: float = 0.0, *, only_fallback: bool = False, is_counted: bool = False
) -> Iterator[Server]:
    """A server over the files below `root` whose every answer begins after `latency_s`; nginx can count requests."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="eoltag-nginx-") as name:
        folder = Path(name)
        is_nginx = not only_fallback and _has_nginx()
        log = folder / "access.log" if is_nginx and is_counted else None
        command = _nginx(folder, root, latency_s, port, log) if is_nginx else _fallback(root, latency_s, port)
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True) as process:
            try:
                _wait_until_it_answers(port, process)
                yield Server("nginx" if is_nginx else "aiohttp", port, process.pid, log)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)


def _nginx(folder: Path, root: Path, latency_s: float, port: int, log: Path | None) -> list[str]:
    location = (_LATE if latency_s else _AT_ONCE).format(root=root.resolve(), latency_s=latency_s)
    user = "user root;" if os.geteuid() == 0 else ""
    config = _CONFIG.format(
        module=ECHO_MODULE, user=user, folder=folder, port=port, location=location, access_log=log or "off"
    )
    (folder / "nginx.conf").write_text(config)
    return [_nginx_path() or "nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]


def _fallback(root: Path, latency_s: float, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.fallback_server", str(root), str(port), str(latency_s)]


def _has_nginx() -> bool:
    """nginx with its echo module, installed now where that can be done."""
    if not (_nginx_path() and ECHO_MODULE.is_file()) and _may_install():
        print(f"installing {' '.join(PACKAGES)} ...", file=sys.stderr)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", *PACKAGES]):
            subprocess.run(["apt-get", *arguments], env=quiet, stdout=subprocess.DEVNULL, check=False)
    return bool(_nginx_path()) and ECHO_MODULE.is_file()


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _nginx_path() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Raises RuntimeError where it does not."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the web server did not start on port {port}")
