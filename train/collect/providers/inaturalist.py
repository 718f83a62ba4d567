"""iNaturalist: https://api.inaturalist.org/v1/docs/, research-grade observations of a taxon, newest first."""

from collections.abc import Iterator
from typing import Any, Final

from train.collect.providers.client import ApiClient, dig_int, dig_list, dig_text
from train.collect.providers.found import ImageHit, Provider, Query
from train.collect.providers.licences import licence_code
from train.collect.providers.policy import DAY_S, HOUR_S, Policy, Quota

URL: Final = "https://api.inaturalist.org/v1/observations"
PER_PAGE: Final = 200


def search(client: ApiClient, query: Query) -> Iterator[ImageHit]:
    """One photo of each observation: its photos show the same individual."""
    params: dict[str, str | int | list[str]] = {
        "taxon_name": query.term,
        "photos": "true",
        "quality_grade": "research",
        "per_page": PER_PAGE,
        "order_by": "id",
        "order": "desc",
    }
    if query.licences is not None:
        params["photo_license"] = ",".join(sorted(_own_name(code) for code in query.licences))
    while True:
        observations = dig_list(client.get(URL, params), "results")
        for observation in observations:
            yield from _found(observation, query)
        # Pages by number end after 10,000; by the last id they do not.
        last = min((number for one in observations if (number := dig_int(one, "id")) is not None), default=None)
        if last is None or len(observations) < PER_PAGE or last == params.get("id_below"):
            return
        params["id_below"] = last


def _found(observation: Any, query: Query) -> Iterator[ImageHit]:
    author = dig_text(observation, "user", "name") or dig_text(observation, "user", "login")
    for photo in dig_list(observation, "photos"):
        url = dig_text(photo, "url")
        licence = dig_text(photo, "license_code") or "all rights reserved"
        if url is not None and (query.licences is None or licence_code(licence) in query.licences):
            yield ImageHit(url.replace("/square.", "/large."), dig_text(observation, "uri"), licence, author)
            return


def _own_name(code: str) -> str:
    return f"cc-{code}" if code.startswith("by") else code


# https://www.inaturalist.org/pages/api+recommended+practices
POLICY: Final = Policy(
    1.0,
    quotas=(
        Quota(10_000, "requests", DAY_S),
        Quota(5_000_000_000, "bytes", HOUR_S),
        Quota(24_000_000_000, "bytes", DAY_S),
    ),
)
PROVIDER: Final = Provider("inaturalist", POLICY, search)
