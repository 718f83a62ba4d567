"""GBIF: https://techdocs.gbif.org/en/openapi/, occurrences of a taxon with pictures, at most 100,000 a term."""

from collections.abc import Iterator
from typing import Any, Final

from train.collect.providers.client import ApiClient, dig, dig_int, dig_list, dig_text
from train.collect.providers.found import ImageHit, Provider, Query
from train.collect.providers.licences import licence_code
from train.collect.providers.policy import Policy

MATCH_URL: Final = "https://api.gbif.org/v1/species/match"
URL: Final = "https://api.gbif.org/v1/occurrence/search"
PER_PAGE: Final = 300
MOST: Final = 100_000


def search(client: ApiClient, query: Query) -> Iterator[ImageHit]:
    """One picture of each occurrence of the taxon that has the term as its scientific name; none where none has."""
    taxon = client.get(MATCH_URL, {"name": query.term})
    key = dig_int(taxon, "usageKey")
    if key is None or dig_text(taxon, "matchType") not in ("EXACT", "FUZZY"):  # else a genus for a species
        return
    offset = 0
    while offset + PER_PAGE <= MOST:
        answer = client.get(URL, {"taxonKey": key, "mediaType": "StillImage", "limit": PER_PAGE, "offset": offset})
        occurrences = dig_list(answer, "results")
        for occurrence in occurrences:
            yield from _found(occurrence, query)
        if dig(answer, "endOfRecords") is not False or not occurrences:
            return
        offset += len(occurrences)


def _found(occurrence: Any, query: Query) -> Iterator[ImageHit]:
    key = dig_text(occurrence, "key")
    page = f"https://www.gbif.org/occurrence/{key}" if key else None
    for medium in dig_list(occurrence, "media"):
        url = dig_text(medium, "identifier")
        if url is None or dig_text(medium, "type") not in ("StillImage", None):
            continue
        licence = dig_text(medium, "license") or dig_text(occurrence, "license")
        author = dig_text(medium, "creator") or dig_text(medium, "rightsHolder") or dig_text(occurrence, "rightsHolder")
        if query.licences is None or licence_code(licence) in query.licences:
            yield ImageHit(url, page or dig_text(medium, "references"), licence, author)
            return


PROVIDER: Final = Provider("gbif", Policy(3.0), search)
