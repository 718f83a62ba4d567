"""Whole files for the driver: a list of images behind a URL that the user gave, written to disk as it arrives."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from eoltag.errors import BundleError
from eoltag.fetch.addresses import IPAddress, is_public, parse_address
from eoltag.fetch.client import Fetcher
from eoltag.fetch.sinks import InFile
from eoltag.records import Fetched, FetchRequest, Outcome
from eoltag.settings import FetchSettings

__all__ = ["download"]

T = TypeVar("T")

DOWNLOAD_MAX_BYTES: Final = 4_000_000_000
DOWNLOAD_DEADLINE_S: Final = 86_400.0
"""For a whole bundle file; a silent server is given up after the deadline of one image."""


def download(url: str, target: Path, settings: FetchSettings) -> None:
    """The file behind a URL that the user gave, written to `target` as it arrives. Raises BundleError.

    A URL that somebody typed may name a private host, and one file needs no pacing. Where that host redirects to is
    not what was typed: only public addresses are, and its own.
    """
    part = target.with_name(target.name + ".part")
    try:
        sink = InFile(part)
        try:
            fetched = _run(_download(url, sink, settings))
        finally:
            sink.close()
        if fetched.outcome is not Outcome.OK:
            raise BundleError(f"{url}: cannot be downloaded ({fetched.outcome}: {fetched.detail})")
        part.replace(target)
    except OSError as problem:
        raise BundleError(f"{target}: cannot be written ({problem.strerror or problem})") from problem
    finally:
        part.unlink(missing_ok=True)


async def _download(url: str, sink: InFile, settings: FetchSettings) -> Fetched:
    patient = settings.model_copy(
        update={
            "requests_per_s": 0.0,
            "hosts": {},
            "max_bytes": DOWNLOAD_MAX_BYTES,
            "deadline_s": DOWNLOAD_DEADLINE_S,
            "opt_out_directives": (),
        }
    )
    typed = await _addresses_of(url)
    fetcher = Fetcher(
        patient, stall_s=settings.deadline_s, guard=lambda address: is_public(address) or address in typed
    )
    try:
        return await fetcher.fetch(FetchRequest(url), sink)
    finally:
        await fetcher.close()


async def _addresses_of(url: str) -> set[IPAddress]:
    """The addresses that the URL's host has now; none where it has none, which the download then says."""
    try:
        host = urlsplit(url).hostname or ""
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, ValueError):  # ValueError: also a name that has no IDNA form
        return set()
    return {address for *_, place in found if (address := parse_address(str(place[0]))) is not None}


def _run(job: Coroutine[Any, Any, T]) -> T:
    """The result of `job`; also where the caller's thread runs an event loop already, as a notebook's does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(job)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, job).result()
