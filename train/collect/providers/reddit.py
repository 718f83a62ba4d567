"""Reddit: https://www.reddit.com/dev/api/#GET_new with an application's credentials; at most some 1,000 posts."""

import sys
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlsplit

from eoltag import __version__
from train.collect.providers.client import ApiClient, dig, dig_list, dig_text
from train.collect.providers.found import ImageHit, Provider, Query
from train.collect.providers.policy import Policy

TOKEN_URL: Final = "https://www.reddit.com/api/v1/access_token"
LISTING_URL: Final = "https://oauth.reddit.com/r/{}/new"
CLIENT_ID, CLIENT_SECRET, USERNAME = "REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET", "REDDIT_USERNAME"
USER_AGENT: Final = "{}:org.eol.eoltag:v{} (by /u/{})"
"""Platform, application, version and account, in the form that Reddit's rules ask for; others it slows down."""
PER_PAGE: Final = 100
SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")


def search(client: ApiClient, query: Query) -> Iterator[ImageHit]:
    """The picture, or the first of a gallery, of every post in the subreddit that the term names, newest first."""
    client.call_itself(USER_AGENT.format(sys.platform, __version__, query.credentials[USERNAME].removeprefix("/u/")))
    basic = query.credentials[CLIENT_ID], query.credentials[CLIENT_SECRET]
    bearer = client.token(TOKEN_URL, {"grant_type": "client_credentials"}, basic=basic)
    url = LISTING_URL.format(quote(query.term.removeprefix("/").removeprefix("r/").strip("/"), safe=""))
    params: dict[str, str | int | list[str]] = {"limit": PER_PAGE, "raw_json": 1}
    seen: set[str] = set()
    while True:
        answer = client.get(url, params, bearer=bearer, missing_is_none=True)
        for post in dig_list(answer, "data", "children"):
            yield from _found(dig(post, "data"))
        after = dig_text(answer, "data", "after")
        if after is None or after in seen:
            return
        seen.add(after)
        params["after"] = after


def _found(post: Any) -> Iterator[ImageHit]:
    url = _image(post)
    if url is None or dig(post, "over_18") is True:
        return
    page = dig_text(post, "permalink")
    yield ImageHit(url, f"https://www.reddit.com{page}" if page else None, None, dig_text(post, "author"))


def _image(post: Any) -> str | None:
    url = dig_text(post, "url")
    if url is not None and urlsplit(url).path.lower().endswith(SUFFIXES):
        return url
    for item in dig_list(post, "gallery_data", "items"):
        source = dig_text(post, "media_metadata", dig_text(item, "media_id") or "", "s", "u")
        if source is not None:
            return source
    return None


PROVIDER: Final = Provider(
    "reddit", Policy(1.0), search, needs=(CLIENT_ID, CLIENT_SECRET, USERNAME), states_licences=False
)
