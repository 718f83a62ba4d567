"""Every provider against its API's real paths, paging and answers, served on this machine."""

import sys
from collections.abc import Iterator
from itertools import islice

import pytest

from eoltag import __version__
from eoltag.errors import DataError
from eoltag.settings import FetchSettings
from tests.support.api_server import CLIENT, FLICKR_KEY, GOOGLE_ENGINE, GOOGLE_KEY, TOKEN, ApiServer
from train.collect.providers import PROVIDERS
from train.collect.providers.client import ApiClient
from train.collect.providers.found import ImageHit, Query

CREDENTIALS = {
    "GOOGLE_API_KEY": GOOGLE_KEY,
    "GOOGLE_CX": GOOGLE_ENGINE,
    "REDDIT_CLIENT_ID": CLIENT[0],
    "REDDIT_CLIENT_SECRET": CLIENT[1],
    "REDDIT_USERNAME": "somebody",
    "FLICKR_API_KEY": FLICKR_KEY,
}
PATHS = {
    "commons": "/w/api.php",
    "inaturalist": "/v1/observations",
    "gbif": "/v1/occurrence/search",
    "openverse": "/v1/images/",
    "eol": "/api/pages/",
    "flickr": "/services/rest/",
    "google": "/customsearch/v1",
    "reddit": "/r/",
}
NAMES = sorted(PROVIDERS)


class Waits(list[float]):
    """Seconds that somebody wanted to sleep; nobody does."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """Searches with 120 results."""
    with ApiServer() as server:
        yield server


def search(
    server: ApiServer, name: str, term: str = "Bellis perennis", licences: str = "", waits: Waits | None = None
) -> Iterator[ImageHit]:
    """What a provider finds."""
    client = ApiClient(
        name,
        FetchSettings(),
        PROVIDERS[name].policy.requests_per_s,
        base_url=server.base,
        secrets=CREDENTIALS.values(),
        sleep=Waits() if waits is None else waits,
        jitter=lambda: 0.5,
    )
    try:
        wanted = frozenset(licences.split(",")) if licences else None
        yield from PROVIDERS[name].search(client, Query(term, wanted, CREDENTIALS))
    finally:
        client.close()


def numbers(found: Iterator[ImageHit]) -> list[int]:
    """Which of the server's results they are."""
    return [int("".join(filter(str.isdigit, one.url.partition("/images/")[2]))) for one in found]


def all_but(*left_out: int, total: int = 120) -> list[int]:
    """Results but those whose last digit is left out: there the service names no image."""
    return [number for number in range(total) if number % 10 not in left_out]


def test_there_are_eight_providers() -> None:
    assert NAMES == ["commons", "eol", "flickr", "gbif", "google", "inaturalist", "openverse", "reddit"]


@pytest.mark.parametrize(
    ("name", "total", "expected", "requests"),
    [
        ("commons", 120, all_but(8), 3),
        ("inaturalist", 450, all_but(9, total=450), 3),
        ("gbif", 650, all_but(9, total=650), 3),
        ("openverse", 55, all_but(9, total=55), 3),
        ("eol", 160, all_but(9, total=160), 3),
        ("flickr", 1100, all_but(9, total=1100), 4),
        ("google", 35, list(range(35)), 4),
        ("reddit", 250, all_but(8, 9, total=250), 3),
    ],
)
def test_every_page_of_a_search_is_read_in_order_and_what_lacks_an_image_is_passed_over(
    server: ApiServer, name: str, total: int, expected: list[int], requests: int
) -> None:
    server.total = total
    assert numbers(search(server, name)) == expected
    assert server.count(PATHS[name]) == requests


@pytest.mark.parametrize("name", NAMES)
def test_no_more_pages_are_asked_for_than_are_needed(server: ApiServer, name: str) -> None:
    server.total = 1000
    found = search(server, name)
    assert len(list(islice(found, 5))) == 5
    assert server.count(PATHS[name]) == (2 if name == "flickr" else 1)  # Flickr is asked for its licences as well


@pytest.mark.parametrize("name", NAMES)
def test_a_term_that_finds_nothing_is_no_error(server: ApiServer, name: str) -> None:
    assert list(search(server, name, "nothing")) == []


@pytest.mark.parametrize(("name", "most"), [("google", 100), ("openverse", 240), ("flickr", 4000)])
def test_a_search_ends_where_the_service_would_refuse_to_go_on(server: ApiServer, name: str, most: int) -> None:
    server.total = 5000
    assert numbers(search(server, name))[-1] in (most - 1, most - 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "commons",
            ImageHit(
                "/images/0.png",
                "https://commons.wikimedia.org/wiki/File:0.png",
                "https://creativecommons.org/licenses/by-sa/4.0",
                "Ann & Bob",
            ),
        ),
        (
            "inaturalist",
            ImageHit("/images/0/large.png", "https://www.inaturalist.org/observations/5000", "cc-by", "Ann Bob"),
        ),
        (
            "gbif",
            ImageHit(
                "/images/0.png",
                "https://www.gbif.org/occurrence/700",
                "http://creativecommons.org/licenses/by/4.0/legalcode",
                "Ann Bob",
            ),
        ),
        (
            "openverse",
            ImageHit(
                "/images/0.png",
                "https://www.flickr.com/photos/0",
                "http://creativecommons.org/licenses/by/2.0/",
                "Ann Bob",
            ),
        ),
        (
            "eol",
            ImageHit(
                "/images/0.png",
                "https://www.flickr.com/photos/eol/0",
                "http://creativecommons.org/licenses/by/3.0/",
                "Ann Bob",
            ),
        ),
        (
            "flickr",
            ImageHit(
                "/images/0.png",
                "https://www.flickr.com/photos/77@N04/480/",
                "https://creativecommons.org/licenses/by/2.0/",
                "Ann Bob",
            ),
        ),
        ("google", ImageHit("/images/0.png", "https://example.org/0", None, "example.org")),
        ("reddit", ImageHit("/images/0.png", "https://www.reddit.com/r/carporn/comments/0/a_car/", None, "user0")),
    ],
)
def test_the_source_page_licence_and_author_are_kept(server: ApiServer, name: str, expected: ImageHit) -> None:
    first = next(search(server, name))
    assert ImageHit(first.url.removeprefix(server.base), first.page, first.licence, first.author) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_busy_service_is_asked_again_after_the_time_it_names(server: ApiServer, name: str) -> None:
    server.push_back(PATHS[name], 429, Retry_After="7")
    server.push_back(PATHS[name], 503)
    waits = Waits()
    assert numbers(islice(search(server, name, waits=waits), 1)) == [0]
    assert waits == [7.0, 0.75]


@pytest.mark.parametrize("name", NAMES)
def test_a_service_that_stays_busy_is_given_up_with_one_clear_line(server: ApiServer, name: str) -> None:
    for _ in range(4):
        server.push_back(PATHS[name], 500)
    with pytest.raises(DataError, match=rf"^{name}: /.* cannot be read after 4 attempts \(HTTP 500, no\)$"):
        next(search(server, name))


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_is_final_and_says_what_the_service_says(server: ApiServer, name: str) -> None:
    server.push_back(PATHS[name], 403, {"error": {"message": "Daily limit exceeded"}})
    with pytest.raises(DataError, match=rf"^{name}: .* \(HTTP 403, Daily limit exceeded\)$"):
        next(search(server, name))
    assert server.count(PATHS[name]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_wish_to_wait_for_longer_than_anybody_waits_ends_the_search(server: ApiServer, name: str) -> None:
    server.push_back(PATHS[name], 429, Retry_After="3600")
    with pytest.raises(DataError, match="asks to wait 3600 s"):
        next(search(server, name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("body", [[], {"results": None}, {"query": {"pages": [None, {"imageinfo": [{}]}]}}])
def test_an_answer_of_another_shape_finds_nothing(server: ApiServer, name: str, body: object) -> None:
    server.push_back(PATHS[name], 200, body)
    assert list(search(server, name)) == []


def test_an_answer_that_is_no_json_is_an_error(server: ApiServer) -> None:
    server.push_back("/w/api.php", 200, b"<html>")
    with pytest.raises(DataError, match=r"commons: /w/api\.php wanted JSON\. Received: b'<html>'"):
        next(search(server, "commons"))


def test_an_error_that_commons_sends_with_status_200_is_one(server: ApiServer) -> None:
    server.push_back("/w/api.php", 200, {"error": {"code": "maxlag", "info": "Waiting for a database server"}})
    with pytest.raises(DataError, match="refused the search for 'daisy' \\(Waiting for a database server\\)"):
        next(search(server, "commons", "daisy"))


def test_a_redirect_is_not_followed_so_that_no_credential_goes_elsewhere(server: ApiServer) -> None:
    server.push_back("/r/", 302, Location=f"{server.base}/elsewhere")
    with pytest.raises(DataError, match="HTTP 302"):
        next(search(server, "reddit", "carporn"))
    assert server.count("/elsewhere") == 0


def test_requests_are_as_far_apart_as_the_service_asks() -> None:
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with ApiServer(total=300) as server:
        settings = FetchSettings(hosts={})
        client = ApiClient("commons", settings, 2.0, base_url=server.base, clock=lambda: now[0], sleep=sleep)
        assert len(list(PROVIDERS["commons"].search(client, Query("daisy")))) == 270
        client.close()
        assert server.count("/w/api.php") == 6
    assert now[0] == pytest.approx(102.5)


def test_inaturalist_and_openverse_are_asked_for_the_wanted_licences_alone(server: ApiServer) -> None:
    assert numbers(search(server, "inaturalist", licences="cc0,by")) == [
        number for number in all_but(9) if number % 4 in (0, 1)
    ]
    assert server.asked[-1].query["photo_license"] == "cc-by,cc0"
    assert numbers(search(server, "openverse", licences="by-sa")) == [n for n in all_but(9) if n % 4 == 3]


def test_flickr_is_asked_for_licences_by_the_numbers_that_it_gives_them_itself(server: ApiServer) -> None:
    assert numbers(search(server, "flickr", licences="cc0,by")) == [n for n in all_but(9) if n % 4 in (0, 1)]
    assert server.asked[-1].query["license"] == "4,9"
    assert list(search(server, "flickr", licences="by-nc-nd")) == []


def test_a_refusal_of_flickr_comes_with_status_200_and_repeats_no_key(server: ApiServer) -> None:
    client = ApiClient("flickr", FetchSettings(), 0, base_url=server.base, secrets=["another-key"])
    with pytest.raises(DataError, match=r"flickr: refused the search for 'daisy' \(Invalid API Key \*\*\* "):
        next(PROVIDERS["flickr"].search(client, Query("daisy", None, {"FLICKR_API_KEY": "another-key"})))
    client.close()


def test_reddit_is_told_platform_application_version_and_account_as_its_rules_ask(server: ApiServer) -> None:
    next(search(server, "reddit", "carporn"))
    named = {asked.headers["User-Agent"] for asked in server.asked}
    assert named == {f"{sys.platform}:org.eol.eoltag:v{__version__} (by /u/somebody)"}


def test_credentials_bring_a_faster_policy_and_a_larger_allowance_where_the_service_has_one() -> None:
    openverse = PROVIDERS["openverse"]
    known = {"OPENVERSE_CLIENT_ID": "a", "OPENVERSE_CLIENT_SECRET": "b"}
    assert [str(quota) for quota in openverse.policy_for({}).quotas] == ["200 requests in 24 h"]
    assert [str(quota) for quota in openverse.policy_for(known).quotas] == ["10,000 requests in 24 h"]
    assert openverse.policy_for(known).requests_per_s > 4 * openverse.policy_for({}).requests_per_s
    assert PROVIDERS["gbif"].policy_for(known) == PROVIDERS["gbif"].policy


def test_the_published_limits_are_those_that_are_kept() -> None:
    found = {name: [str(quota) for quota in provider.policy.quotas] for name, provider in PROVIDERS.items()}
    assert found["inaturalist"] == ["10,000 requests in 24 h", "5,000 MB in 1 h", "24,000 MB in 24 h"]
    assert found["commons"] == ["31 MB in 10 s"]
    assert PROVIDERS["commons"].policy.images_in_flight == 2


def test_google_is_asked_for_licences_as_it_documents(server: ApiServer) -> None:
    first = next(search(server, "google", licences="cc0,by"))
    rights = "(cc_attribute|cc_publicdomain).-(cc_noncommercial|cc_nonderived|cc_sharealike)"
    assert server.asked[-1].query["rights"] == rights
    assert first.licence == f"google rights={rights}"


def test_gbif_does_not_take_a_genus_for_a_species(server: ApiServer) -> None:
    assert list(search(server, "gbif", "Bellis unheardofia")) == []
    assert server.count("/v1/occurrence") == 0


def test_eol_takes_the_number_of_a_page_and_the_page_that_is_called_like_the_term(server: ApiServer) -> None:
    assert numbers(islice(search(server, "eol", "46559130"), 2)) == [0, 1]
    assert server.count("/api/search") == 0
    assert numbers(islice(search(server, "eol", "bellis perennis"), 2)) == [0, 1]
    assert list(search(server, "eol", "12")) == []


def test_openverse_shows_its_credentials_where_there_are_some(server: ApiServer) -> None:
    client = ApiClient("openverse", FetchSettings(), 0, base_url=server.base)
    own = {"OPENVERSE_CLIENT_ID": CLIENT[0], "OPENVERSE_CLIENT_SECRET": CLIENT[1]}
    next(PROVIDERS["openverse"].search(client, Query("daisy", None, own)))
    client.close()
    assert server.asked[-1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_every_request_says_who_asks(server: ApiServer) -> None:
    next(search(server, "commons"))
    assert server.asked[-1].headers["User-Agent"] == FetchSettings().user_agent


def test_a_service_that_cannot_be_reached_is_named_without_its_url() -> None:
    waits = Waits()
    client = ApiClient("google", FetchSettings(), 1.0, base_url="http://127.0.0.1:9", sleep=waits)
    with pytest.raises(DataError, match=r"google: /customsearch/v1 cannot be read after 4 .*ConnectionError") as raised:
        next(PROVIDERS["google"].search(client, Query("daisy", None, CREDENTIALS)))
    client.close()
    assert GOOGLE_KEY not in str(raised.value)
    assert len(waits) == 3
