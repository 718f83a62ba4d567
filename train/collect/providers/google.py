"""Google: https://developers.google.com/custom-search/v1/reference/rest/v1/cse/list, at most 100 results a term."""

from collections.abc import Iterator
from typing import Any, Final

from train.collect.providers.client import ApiClient, dig_int, dig_list, dig_text
from train.collect.providers.found import ImageHit, Provider, Query
from train.collect.providers.policy import Policy

URL: Final = "https://customsearch.googleapis.com/customsearch/v1"
KEY, ENGINE = "GOOGLE_API_KEY", "GOOGLE_CX"
PER_PAGE: Final = 10
MOST: Final = 100
RIGHTS: Final = {
    "cc0": "cc_publicdomain",
    "pdm": "cc_publicdomain",
    "by": "cc_attribute",
    "by-sa": "cc_sharealike",
    "by-nc": "cc_noncommercial",
    "by-nd": "cc_nonderived",
    "by-nc-sa": "cc_noncommercial",
    "by-nc-nd": "cc_noncommercial",
}
"""What the service can be asked for; it does not say which of them an image has."""


def search(client: ApiClient, query: Query) -> Iterator[ImageHit]:
    """Images of the user's own search engine. The licence stated is the filter that the image passed."""
    params: dict[str, str | int | list[str]] = {
        "key": query.credentials[KEY],
        "cx": query.credentials[ENGINE],
        "q": query.term,
        "searchType": "image",
        "num": PER_PAGE,
        "safe": "active",
    }
    rights = None if query.licences is None else _rights(query.licences)
    if rights is not None:
        params["rights"] = rights
    start: int | None = 1
    while start is not None and start + PER_PAGE - 1 <= MOST:
        answer = client.get(URL, params | {"start": start})
        for item in dig_list(answer, "items"):
            yield from _found(item, rights)
        following = next((dig_int(page, "startIndex") for page in dig_list(answer, "queries", "nextPage")), None)
        start = following if following is not None and following > start else None


def _rights(licences: frozenset[str]) -> str:
    """An expression as Google documents them: any of the wanted, none of the others."""
    wanted = {RIGHTS[code] for code in licences}
    others = set(RIGHTS.values()) - wanted
    expression = f"({'|'.join(sorted(wanted))})"
    return f"{expression}.-({'|'.join(sorted(others))})" if others else expression


def _found(item: Any, rights: str | None) -> Iterator[ImageHit]:
    url = dig_text(item, "link")
    if url is not None:
        licence = None if rights is None else f"google rights={rights}"
        yield ImageHit(url, dig_text(item, "image", "contextLink"), licence, dig_text(item, "displayLink"))


PROVIDER: Final = Provider("google", Policy(1.0), search, needs=(KEY, ENGINE), is_filtered=True)
