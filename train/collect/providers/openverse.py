"""Openverse: https://api.openverse.org/v1/. 20 results a page, 12 pages a term."""

from collections.abc import Iterator
from typing import Any, Final

from train.collect.providers.client import ApiClient, dig_int, dig_list, dig_text
from train.collect.providers.found import ImageHit, Provider, Query
from train.collect.providers.policy import DAY_S, Policy, Quota

URL: Final = "https://api.openverse.org/v1/images/"
TOKEN_URL: Final = "https://api.openverse.org/v1/auth_tokens/token/"
CLIENT_ID, CLIENT_SECRET = "OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET"
PER_PAGE: Final = 20
MOST_PAGES: Final = 12
"""The service refuses to go deeper than 240 results."""


def search(client: ApiClient, query: Query) -> Iterator[ImageHit]:
    """Images whose title, tags or description hold the term."""
    params: dict[str, str | int | list[str]] = {"q": query.term, "page_size": PER_PAGE}
    if query.licences is not None:
        params["license"] = ",".join(sorted(query.licences))
    bearer = _token(client, query)
    for page in range(1, MOST_PAGES + 1):
        answer = client.get(URL, params | {"page": page}, bearer=bearer)
        for image in dig_list(answer, "results"):
            yield from _found(image)
        if page >= (dig_int(answer, "page_count") or 0):
            return


def _token(client: ApiClient, query: Query) -> str | None:
    if CLIENT_ID not in query.credentials or CLIENT_SECRET not in query.credentials:
        return None
    form = {
        "grant_type": "client_credentials",
        "client_id": query.credentials[CLIENT_ID],
        "client_secret": query.credentials[CLIENT_SECRET],
    }
    return client.token(TOKEN_URL, form)


def _found(image: Any) -> Iterator[ImageHit]:
    url = dig_text(image, "url")
    if url is not None:
        licence = dig_text(image, "license_url") or dig_text(image, "license")
        yield ImageHit(url, dig_text(image, "foreign_landing_url"), licence, dig_text(image, "creator"))


# https://docs.openverse.org/api/reference/authentication_and_throttling.html
ANONYMOUS: Final = Policy(0.33, quotas=(Quota(200, "requests", DAY_S),))
REGISTERED: Final = Policy(1.66, quotas=(Quota(10_000, "requests", DAY_S),))
PROVIDER: Final = Provider(
    "openverse", ANONYMOUS, search, takes=(CLIENT_ID, CLIENT_SECRET), with_credentials=REGISTERED
)
