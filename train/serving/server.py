"""The application behind a socket, until a signal asks it to stop."""

import errno
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import uvicorn

from eoltag.errors import SettingsError
from eoltag.model.package import Package
from train.cli import log
from train.serving.application import Service, build_application
from train.serving.head_limit import protocol_with_deadline
from train.serving.settings import ServeSettings

BACKLOG = 2048


def serve(package: Package, settings: ServeSettings) -> Service:
    """Serves until SIGTERM or Ctrl-C, finishes the requests that are in flight, and returns what was served.

    Raises SettingsError where the address cannot be had, PackageError where the model cannot be loaded.
    """
    with closing(listen(settings.host, settings.port)) as listener:
        service, server = make_server(package, settings)
        log(f"serving {package.card.name} (version {package.version}, {service.classifier.engine}) on {_url(listener)}")
        with _quiet_libraries(), _signals_only_stop():
            server.run(sockets=[listener])
    return service


def make_server(package: Package, settings: ServeSettings) -> tuple[Service, uvicorn.Server]:
    """The service with its model loaded, and what runs it."""
    application = build_application(package, settings)
    service: Service = application.state.service
    config = uvicorn.Config(
        application,
        loop="asyncio",
        http=protocol_with_deadline(settings.deadline_s),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, round(settings.deadline_s)),
    )
    return service, uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises SettingsError naming the address that was wanted."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as problem:
        raise SettingsError(f"--host: wanted an address of this machine. Received: {host!r} ({problem})") from problem
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as problem:
        listener.close()
        if problem.errno == errno.EADDRINUSE:
            reason = f"port {port} of {host} is in use; stop what listens there, or choose another with --port"
        else:
            reason = f"cannot listen on {host}, port {port} ({problem.strerror or problem})"
        raise SettingsError(reason) from problem
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """A line for each bad request is what /metrics counts; only failures of our own are worth the log."""
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "python_multipart.multipart")]
    kept = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, kept, strict=True):
            logger.setLevel(level)


@contextmanager
def _signals_only_stop() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more; that one shall not kill what comes after."""
    signals = (signal.SIGTERM, signal.SIGINT)
    kept = {number: signal.signal(number, lambda *_: None) for number in signals}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
