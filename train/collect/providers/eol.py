"""Encyclopedia of Life: its classic API (https://eol.org/docs/what-is-eol/data-services/classic-apis), or a bundle."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from eoltag.bundle.lists import open_bundles
from eoltag.errors import DataError
from train.collect.providers.client import ApiClient, dig, dig_list, dig_text
from train.collect.providers.found import ImageHit, Provider, Query
from train.collect.providers.policy import Policy

SEARCH_URL: Final = "https://eol.org/api/search/1.0.json"
PAGE_URL: Final = "https://eol.org/api/pages/1.0/{}.json"
PER_PAGE: Final = 75
"""The most that the service gives."""


def search(client: ApiClient, query: Query) -> Iterator[ImageHit]:
    """Images of a bundle where the term is a file, of an EOL page where it is a number, else of the taxon it names."""
    if Path(query.term).is_file():
        yield from _of_bundle(query)
        return
    page = query.term if query.term.isdecimal() else _page_of(client, query.term)
    number = 1
    while page is not None:
        params: dict[str, str | int | list[str]] = {
            "details": "true",
            "licenses": "all",
            "images_per_page": PER_PAGE,
            "images_page": number,
            "videos_per_page": 0,
            "sounds_per_page": 0,
            "maps_per_page": 0,
            "texts_per_page": 0,
        }
        answer = client.get(PAGE_URL.format(page), params, missing_is_none=True)
        media = dig_list(answer, "taxonConcept", "dataObjects")
        for medium in media:
            yield from _found(medium)
        if len(media) < PER_PAGE:
            return
        number += 1


def _of_bundle(query: Query) -> Iterator[ImageHit]:
    if query.licences is not None:
        raise DataError(f"eol: the bundle {query.term} states no licences; leave out --licenses, or name a taxon")
    for bundle in open_bundles(Path(query.term), query.term):
        for row in bundle.rows():
            if row.url is not None:
                yield ImageHit(row.url)


def _page_of(client: ApiClient, term: str) -> str | None:
    """The page whose title begins with the term, else the first that is found."""
    results = dig_list(client.get(SEARCH_URL, {"q": term, "page": 1}), "results")
    ordered = sorted(results, key=lambda result: not (dig_text(result, "title") or "").lower().startswith(term.lower()))
    return next((page for result in ordered if (page := dig_text(result, "id"))), None)


def _found(medium: Any) -> Iterator[ImageHit]:
    url = dig_text(medium, "eolMediaURL") or dig_text(medium, "mediaURL")
    if url is None or not str(dig(medium, "dataType") or "StillImage").endswith("StillImage"):
        return
    agents = [name for agent in dig_list(medium, "agents") if (name := dig_text(agent, "full_name"))]
    author = dig_text(medium, "rightsHolder") or (agents[0] if agents else None)
    yield ImageHit(url, dig_text(medium, "source"), dig_text(medium, "license"), author)


PROVIDER: Final = Provider("eol", Policy(1.0), search)
