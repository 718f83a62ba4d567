"""The HTTP session that images are fetched over, and the guard on what it connects to."""

import socket
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from eoltag.errors import BlockedHost
from eoltag.fetch.addresses import IPAddress, parse_address
from eoltag.fetch.leniency import MOST_FIELD_BYTES, MOST_FIELDS, LenientConnector
from eoltag.settings import FetchSettings

Guard = Callable[[IPAddress], bool]
"""True for an address that may be connected to."""

_DNS_CACHE_S: Final = 300
_KEEP_ALIVE_S: Final = 30.0

ACCEPTED: Final = "image/jpeg, image/png, image/webp, image/gif, image/tiff, image/bmp, */*;q=0.1"
"""The types that are read here, by name: `image/*` invites a server that negotiates to send AVIF."""


class GuardedResolver(AbstractResolver):
    """DNS answers without the addresses that the guard refuses.

    It stands between the lookup and the connection, so the address that was checked is the one connected to: a name
    that answers differently the second time (DNS rebinding) gains nothing.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises BlockedHost where the guard refuses every address, OSError where there is none."""
        try:
            found = await self._resolver.resolve(host, port, family)
        except UnicodeError as problem:  # a label too long or empty
            raise OSError(None, f"not a host name ({problem})") from problem
        allowed = [result for result in found if self._is_allowed(result["host"])]
        if found and not allowed:
            raise BlockedHost(f"{host} resolves to {found[0]['host']}, which is not a public address")
        return allowed

    async def close(self) -> None:
        """Nothing to release."""
        await self._resolver.close()

    def _is_allowed(self, address: str) -> bool:
        parsed = parse_address(address)
        return parsed is not None and self._guard(parsed)


def refuse_address(url: URL, guard: Guard) -> None:
    """Raises BlockedHost where the URL spells an address that the guard refuses: those never see the resolver."""
    address = parse_address(url.raw_host or "")
    if address is not None and not guard(address):
        raise BlockedHost(f"{url.raw_host} is not a public address")


def open_session(settings: FetchSettings, guard: Guard, stall_s: float | None) -> aiohttp.ClientSession:
    """A session for the running event loop. The number of connections is bounded by whoever makes the requests."""
    connector = LenientConnector(
        resolver=GuardedResolver(guard), limit=0, ttl_dns_cache=_DNS_CACHE_S, keepalive_timeout=_KEEP_ALIVE_S
    )
    headers = {
        "User-Agent": settings.user_agent,
        "Accept": ACCEPTED,
        "Accept-Encoding": "identity",  # images are compressed already
    }
    return aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_timeout_s, sock_read=stall_s),
        trust_env=False,
        max_line_size=MOST_FIELD_BYTES,
        max_field_size=MOST_FIELD_BYTES,
        max_headers=MOST_FIELDS,
    )
