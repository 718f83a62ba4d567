"""Fetching in the background while the caller works."""

import asyncio
import multiprocessing
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any

import pytest

from eoltag.fetch import read_ahead
from eoltag.fetch.client import Fetcher
from eoltag.fetch.read_ahead import fetch_ahead
from eoltag.fetch.sinks import ByteBudget, Rationed
from eoltag.records import Fetched, FetchRequest, Outcome
from eoltag.settings import FetchSettings
from tests.support.loopback import Loopback

SETTINGS = FetchSettings(allow_private_hosts=True, attempts=1, deadline_s=20, concurrency=8)
ENOUGH = 100_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    root = tmp_path_factory.mktemp("images")
    for number in range(10):
        (root / f"{number}.jpg").write_bytes(bytes([number]) * (1_000 + number))
    with Loopback(root) as running:
        yield running


def ahead(
    urls: Iterable[str | None],
    settings: FetchSettings = SETTINGS,
    *,
    rate_share: float = 1.0,
    max_images: int = 16,
    max_bytes: int = ENOUGH,
) -> Iterator[tuple[str | None, Fetched]]:
    return fetch_ahead(urls, FetchRequest, settings, rate_share=rate_share, max_images=max_images, max_bytes=max_bytes)


def until(is_so: Callable[[], bool], patience_s: float = 10.0) -> None:
    """Waits for another thread to get there."""
    give_up_at = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < give_up_at, "it never happened"
        time.sleep(0.002)


def test_every_item_comes_back_once_with_its_own_image(server: Loopback) -> None:
    items = [(number, server.url(f"{number % 10}.jpg")) for number in range(200)]
    got = list(
        fetch_ahead(items, lambda i: FetchRequest(i[1]), SETTINGS, rate_share=1.0, max_images=16, max_bytes=ENOUGH)
    )
    assert sorted(item for item, _ in got) == items
    for (number, _), fetched in got:
        assert fetched.data == bytes([number % 10]) * (1_000 + number % 10)


def test_failures_come_back_like_images(server: Loopback) -> None:
    urls = [server.url("1.jpg"), None, server.url("/status/404/x"), "nonsense", server.url("/cut/2.jpg")]
    outcomes = {url: fetched.outcome for url, fetched in ahead(urls)}
    assert list(map(outcomes.get, urls)) == [
        Outcome.OK,
        Outcome.BAD_URL,
        Outcome.GONE,
        Outcome.BAD_URL,
        Outcome.TRUNCATED,
    ]


def test_the_same_item_twice_comes_back_twice(server: Loopback) -> None:
    assert Counter(url for url, _ in ahead([None, server.url("1.jpg"), None])) == {None: 2, server.url("1.jpg"): 1}


def test_no_items_are_no_work() -> None:
    assert list(ahead([])) == []


def test_a_slow_image_does_not_hold_up_the_others(server: Loopback) -> None:
    slow = server.url("/slow/0.3/1.jpg")
    urls = [url for url, _ in ahead([slow, *(server.url(f"{number}.jpg") for number in range(10))])]
    assert urls[-1] == slow


def test_no_more_items_are_pulled_than_may_wait(server: Loopback) -> None:
    pulled = 0

    def items() -> Iterator[str]:
        nonlocal pulled
        for number in range(50):
            pulled += 1
            yield server.url(f"{number % 10}.jpg")

    for yielded, _ in enumerate(ahead(items(), max_images=5)):
        assert pulled <= yielded + 1 + 5
    assert pulled == 50


def test_items_are_pulled_in_the_thread_of_the_caller(server: Loopback) -> None:
    threads = set()

    def items() -> Iterator[str]:
        for number in range(20):
            threads.add(threading.get_ident())
            yield server.url(f"{number % 10}.jpg")

    assert len(list(ahead(items()))) == 20
    assert threads == {threading.get_ident()}


def test_as_many_requests_are_in_flight_as_the_settings_say(server: Loopback) -> None:
    with Loopback(server.root, latency_s=0.05) as late:
        assert len(list(ahead([late.url("1.jpg")] * 32, max_images=32))) == 32
        assert late.peak_in_flight == 8


def test_fetching_goes_on_while_the_caller_works_a_few_images_at_a_time(server: Loopback) -> None:
    before = len(server.requests)
    images = ahead([server.url("1.jpg")] * 40, max_images=16)
    next(images)
    until(lambda: len(server.requests) == before + 16)
    assert len(list(islice(images, 2))) == 2
    until(lambda: len(server.requests) == before + 18)
    assert len(list(images)) == 37


def test_each_worker_keeps_to_its_share_of_the_rate(server: Loopback) -> None:
    settings = SETTINGS.model_copy(update={"hosts": {"127.0.0.1": 40.0}})
    began = time.monotonic()
    assert len(list(ahead([server.url("1.jpg")] * 5, settings, rate_share=0.5))) == 5
    assert 0.2 <= time.monotonic() - began < 10.0


# The next call.


def test_the_next_call_uses_the_same_connections(server: Loopback) -> None:
    settings = SETTINGS.model_copy(update={"contact": "one connection", "concurrency": 1})
    server.clients.clear()
    for _ in range(3):
        assert len(list(ahead([server.url("1.jpg")] * 5, settings))) == 5
    assert len(server.clients) == 1


def test_other_settings_are_obeyed_at_once(server: Loopback) -> None:
    for contact in ("first", "second"):
        list(ahead([server.url("1.jpg")], SETTINGS.model_copy(update={"contact": contact})))
        assert server.headers[-1]["User-Agent"].endswith(f"(+{contact})")


def threads() -> int:
    """Those that fetch for this process."""
    return sum(thread.name == "eoltag-fetch" for thread in threading.enumerate())


def test_however_many_settings_were_used_few_threads_stay_and_those_of_the_last_ones(server: Loopback) -> None:
    several = [SETTINGS.model_copy(update={"contact": f"number {number}"}) for number in range(6)]
    for settings in several:
        assert [fetched.outcome for _, fetched in ahead([server.url("1.jpg")], settings)] == [Outcome.OK]
    until(lambda: threads() == read_ahead.MOST_IDLE)
    kept = set(server.clients)
    list(ahead([server.url("1.jpg")], several[-1]))
    list(ahead([server.url("1.jpg")], several[-2]))
    assert set(server.clients) == kept, "the same connections"
    list(ahead([server.url("1.jpg")], several[0]))
    assert len(set(server.clients) - kept) == 1, "a new one"


def test_a_thread_whose_images_are_still_awaited_is_kept_whatever_comes_between(server: Loopback) -> None:
    images = ahead([server.url("1.jpg")] * 3)
    assert next(images)[1].outcome is Outcome.OK
    for number in range(4):
        list(ahead([server.url("2.jpg")], SETTINGS.model_copy(update={"contact": f"between {number}"})))
    assert [fetched.outcome for _, fetched in images] == [Outcome.OK] * 2


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_fetches_by_itself_and_harms_nobody(server: Loopback) -> None:
    url = server.url("3.jpg")
    assert len(list(ahead([url] * 3))) == 3
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_fetch_in_child, args=(url, theirs))
    child.start()
    theirs.close()
    assert ours.poll(20)
    assert ours.recv() == bytes([3]) * 1_003
    child.join(20)
    assert child.exitcode == 0
    assert [fetched.data for _, fetched in ahead([url])] == [bytes([3]) * 1_003]


def _fetch_in_child(url: str, answer: Connection) -> None:
    ((_, fetched),) = ahead([url])
    answer.send(fetched.data)


# The end.


def test_closing_early_cancels_what_is_under_way(server: Loopback) -> None:
    images = ahead([server.url("1.jpg"), *[server.url("/trickle/x.jpg")] * 6])
    assert next(images)[1].outcome is Outcome.OK
    until(lambda: server.in_flight == 6)
    images.close()  # type: ignore[attr-defined]
    until(lambda: server.in_flight == 0)
    assert [fetched.outcome for _, fetched in ahead([server.url("2.jpg")])] == [Outcome.OK]


def test_an_error_of_the_items_reaches_the_caller(server: Loopback) -> None:
    def items() -> Iterator[str]:
        yield server.url("/trickle/x.jpg")
        raise KeyError("bundle")

    with pytest.raises(KeyError, match="bundle"):
        list(ahead(items()))
    until(lambda: server.in_flight == 0)


def test_a_bug_in_the_background_reaches_the_caller(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    async def divide(_fetcher: Fetcher, _url: str | None, _sink: object = None) -> Fetched:
        raise ZeroDivisionError

    monkeypatch.setattr(Fetcher, "fetch", divide)
    with pytest.raises(ZeroDivisionError):
        list(ahead([server.url("1.jpg")] * 3))


def test_a_process_may_end_in_the_middle(server: Loopback) -> None:
    script = f"""
from eoltag.fetch.read_ahead import fetch_ahead
from eoltag.records import FetchRequest
from eoltag.settings import FetchSettings
import logging
urls = ["{server.url("1.jpg")}"] + ["{server.url("/trickle/x.jpg")}"] * 3
settings = FetchSettings(allow_private_hosts=True)
is_slowness = lambda record: record.getMessage().startswith("Executing ")  # which -X dev tells of on a busy machine
logging.getLogger("asyncio").addFilter(lambda record: not is_slowness(record))
images = fetch_ahead(urls, FetchRequest, settings, rate_share=1.0, max_images=8, max_bytes=1_000_000)
print(next(images)[1].outcome)
"""
    ended = subprocess.run([sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("ok\n", "", 0)


# Memory.


def test_beyond_the_budget_only_the_first_body_grows_and_only_while_nothing_is_ready() -> None:
    async def story() -> None:
        budget = ByteBudget(100)
        first, second, third = (Rationed(budget) for _ in range(3))
        assert first.write(bytes(60)) is None
        second_waits = _begin(second.write(bytes(60)))
        assert first.write(bytes(10)) is None
        assert first.content() == bytes(70)
        assert budget.held == 130
        assert not await _goes_on(second_waits)  # 70 bytes are ready to be taken
        budget.hand_over(70)
        assert await _goes_on(second_waits)
        assert second.write(bytes(100)) is None
        third_waits = _begin(third.write(bytes(1)))
        assert not await _goes_on(third_waits)
        second.clear()
        assert await _goes_on(third_waits)
        assert budget.held == 1

    asyncio.run(story())


def _begin(pause: Awaitable[None] | None) -> asyncio.Future[None]:
    assert pause is not None
    return asyncio.ensure_future(pause)


async def _goes_on(waiting: asyncio.Future[None]) -> bool:
    for _ in range(5):
        await asyncio.sleep(0)
    return waiting.done()


@pytest.fixture
def peak(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes held by all budgets, whenever they grew."""
    seen: list[int] = [0]

    class Watched(ByteBudget):
        def read(self, sink: Rationed, size: int) -> Any:
            pause = super().read(sink, size)
            seen.append(self.held)
            return pause

    monkeypatch.setattr(read_ahead, "ByteBudget", Watched)
    return seen


CHUNK = 512 * 1024
"""The most that the HTTP client buffers of one body, and so hands over at once."""


def test_received_bytes_stay_within_the_budget_while_the_caller_works(server: Loopback, peak: list[int]) -> None:
    size, budget = 3_000_000, 10_000_000
    urls = [server.url(f"/big/{size}/{number}.jpg") for number in range(24)]
    images = ahead(urls, max_bytes=budget, max_images=24)
    got = [next(images)]
    until(lambda: max(peak) >= budget)
    time.sleep(0.1)  # nothing more may come, which takes time to see
    assert max(peak) < budget + size + 8 * CHUNK
    got += images
    assert max(peak) < budget + size + 8 * CHUNK
    assert {url for url, _ in got} == set(urls)
    assert all(fetched.data == bytes(size) for _, fetched in got)


def test_an_image_larger_than_the_budget_gets_through(server: Loopback, peak: list[int]) -> None:
    urls = [server.url(f"/big/{size}/x.jpg") for size in (5_000_000, 5_000_001, 5_000_002, 1_000)]
    got = {url: fetched.data for url, fetched in ahead(urls, max_bytes=1_000_000)}
    assert [len(got[url] or b"") for url in urls] == [5_000_000, 5_000_001, 5_000_002, 1_000]
    assert max(peak) < 1_000_000 + 5_000_002 + 8 * CHUNK


def test_a_pause_for_lack_of_room_does_not_count_against_the_deadline(server: Loopback) -> None:
    settings = SETTINGS.model_copy(update={"deadline_s": 1.5, "concurrency": 4})
    images = ahead([server.url("/big/3000000/x.jpg")] * 4, settings, max_bytes=1_000_000)
    outcomes = [next(images)[1].outcome]
    time.sleep(1.7)
    outcomes += [fetched.outcome for _, fetched in images]
    assert outcomes == [Outcome.OK] * 4


def test_bytes_of_a_body_that_broke_off_make_room_again(server: Loopback, peak: list[int]) -> None:
    settings = SETTINGS.model_copy(update={"max_bytes": 2_000_000})
    urls = [server.url(path) for path in ["/endless/x.jpg"] * 12 + ["1.jpg"] * 12]
    outcomes = Counter(fetched.outcome for _, fetched in ahead(urls, settings, max_bytes=1_000_000))
    assert outcomes == {Outcome.TOO_LARGE: 12, Outcome.OK: 12}
    assert max(peak) < 1_000_000 + 2_000_000 + 8 * CHUNK


def test_taking_no_result_takes_no_more_than_the_window(server: Loopback) -> None:
    before = len(server.requests)
    images = ahead([server.url("1.jpg")] * 100, max_images=4)
    assert len(list(islice(images, 2))) == 2
    until(lambda: len(server.requests) >= before + 5)
    time.sleep(0.05)
    assert len(server.requests) <= before + 6
    images.close()  # type: ignore[attr-defined]
