"""Flickr: https://www.flickr.com/services/api/flickr.photos.search.html, at most 4,000 photos a term."""

from collections.abc import Iterator
from typing import Any, Final

from eoltag.errors import DataError
from train.collect.providers.client import ApiClient, Params, dig_int, dig_list, dig_text
from train.collect.providers.found import ImageHit, Provider, Query
from train.collect.providers.licences import licence_code
from train.collect.providers.policy import HOUR_S, Policy, Quota

URL: Final = "https://api.flickr.com/services/rest/"
KEY: Final = "FLICKR_API_KEY"
PER_PAGE: Final = 500
MOST: Final = 4_000
"""Beyond that the service repeats the last page."""
SIZES: Final = ("url_l", "url_c", "url_z")
"""1024, 800 and 640 px on the longer side, the largest that there is."""


def search(client: ApiClient, query: Query) -> Iterator[ImageHit]:
    """Photos whose title, description or tags hold the term, the most relevant first."""
    licences = _licences(client, query)
    if not licences:  # nothing that was found could be said to be under any
        return
    params: dict[str, str | int | list[str]] = {
        "text": query.term,
        "media": "photos",
        "content_types": 0,
        "safe_search": 1,
        "sort": "relevance",
        "extras": ",".join(("license", "owner_name", *SIZES)),
        "per_page": PER_PAGE,
    }
    if query.licences is not None:
        wanted = [number for number, licence in licences.items() if licence_code(licence) in query.licences]
        if not wanted:
            return
        params["license"] = ",".join(wanted)
    for page in range(1, MOST // PER_PAGE + 1):
        answer = _ask(client, query, "flickr.photos.search", params | {"page": page})
        for photo in dig_list(answer, "photos", "photo"):
            yield from _found(photo, licences)
        if page >= (dig_int(answer, "photos", "pages") or 0):
            return


def _licences(client: ApiClient, query: Query) -> dict[str, str]:
    """By Flickr's number, which is all that a photo states: the URL of a known licence, the name of another."""
    answer = _ask(client, query, "flickr.photos.licenses.getInfo", {})
    found: dict[str, str] = {}
    for licence in dig_list(answer, "licenses", "license"):
        url, name = dig_text(licence, "url"), dig_text(licence, "name")
        text = url if licence_code(url) else name
        if (number := dig_text(licence, "id")) is not None and text is not None:
            found[number] = text
    return found


def _ask(client: ApiClient, query: Query, method: str, params: Params) -> Any:
    """The answer to a method. Raises DataError also for a refusal, which comes with status 200."""
    own: Params = {"method": method, "api_key": query.credentials[KEY], "format": "json", "nojsoncallback": 1}
    answer = client.get(URL, {**own, **params})
    if dig_text(answer, "stat") == "fail":
        reason = client.redact(dig_text(answer, "message") or "no reason given")
        raise DataError(f"{client.name}: refused the search for {query.term!r} ({reason})")
    return answer


def _found(photo: Any, licences: dict[str, str]) -> Iterator[ImageHit]:
    url = next((url for size in SIZES if (url := dig_text(photo, size))), None)
    if url is None:
        return
    owner, number = dig_text(photo, "owner"), dig_text(photo, "id")
    page = f"https://www.flickr.com/photos/{owner}/{number}/" if owner and number else None
    licence = licences.get(dig_text(photo, "license") or "")
    yield ImageHit(url, page, licence, dig_text(photo, "ownername") or owner)


# https://www.flickr.com/services/developer/api/
POLICY: Final = Policy(1.0, quotas=(Quota(3_600, "requests", HOUR_S),))
PROVIDER: Final = Provider("flickr", POLICY, search, needs=(KEY,))
