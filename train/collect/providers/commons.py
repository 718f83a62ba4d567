"""Wikimedia Commons: https://www.mediawiki.org/wiki/API:Search and API:Imageinfo, at most 10,000 results a term."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final

from eoltag.errors import DataError
from train.collect.providers.client import ApiClient, Params, dig, dig_int, dig_list, dig_text
from train.collect.providers.found import ImageHit, Provider, Query
from train.collect.providers.policy import Policy, Quota

URL: Final = "https://commons.wikimedia.org/w/api.php"
WIDTH_PX: Final = 1280
"""One of the widths that Wikimedia keeps ready; originals may have hundreds of megapixels."""
FIRST: Final[dict[str, str | int | list[str]]] = {
    "action": "query",
    "format": "json",
    "formatversion": 2,
    "generator": "search",
    "gsrnamespace": 6,
    "gsrlimit": 50,
    "prop": "imageinfo",
    "iiprop": "url|extmetadata",
    "iiurlwidth": WIDTH_PX,
    "iiextmetadatafilter": "LicenseShortName|LicenseUrl|Artist",
}


def search(client: ApiClient, query: Query) -> Iterator[ImageHit]:
    """Bitmaps that the term finds, by the service's own ranking."""
    going_on: Params = {}
    while True:
        params = FIRST | {"gsrsearch": f"{query.term} filetype:bitmap"} | dict(going_on)
        answer = client.get(URL, params)
        if dig(answer, "error") is not None:  # comes with status 200
            reason = client.redact(dig_text(answer, "error", "info") or "no reason given")
            raise DataError(f"{client.name}: refused the search for {query.term!r} ({reason})")
        pages = dig_list(answer, "query", "pages")
        for page in sorted(pages, key=lambda page: dig_int(page, "index") or 0):
            for info in dig_list(page, "imageinfo"):
                yield from _found(info)
        following = dig(answer, "continue")
        if not isinstance(following, dict) or following == going_on:
            return
        going_on = following


def _found(info: Any) -> Iterator[ImageHit]:
    url = dig_text(info, "thumburl") or dig_text(info, "url")
    if url is None:
        return
    about = dig(info, "extmetadata")
    licence = dig_text(about, "LicenseUrl", "value") or dig_text(about, "LicenseShortName", "value")
    author = dig_text(about, "Artist", "value")
    yield ImageHit(url, dig_text(info, "descriptionurl"), licence, _plain(author) if author else None)


class _Text(HTMLParser):
    """The author is given as a piece of HTML; this keeps its text."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _plain(markup: str) -> str:
    parser = _Text()
    parser.feed(markup)
    parser.close()
    return " ".join("".join(parser.parts).split())


# Two images at a time, 25 Mbit/s as measured over 10 seconds: https://wikitech.wikimedia.org/wiki/Robot_policy
POLICY: Final = Policy(2.0, images_in_flight=2, quotas=(Quota(31_250_000, "bytes", 10),))
PROVIDER: Final = Provider("commons", POLICY, search)
