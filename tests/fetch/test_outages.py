"""Hosts that are away for a while, and storms of refusals: by a clock of their own, against a real socket."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from eoltag.fetch.client import Fetcher
from eoltag.fetch.read_ahead import fetch_ahead
from eoltag.records import Fetched, FetchRequest, Outcome
from eoltag.settings import FetchSettings
from tests.fetch.test_client import closed_port
from tests.support.fake_time import SharedTime
from tests.support.loopback import Loopback

PICTURE = b"\xff\xd8\xff\xe0 a picture"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(PICTURE), PICTURE)
EMPTY = b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n"
BUSY = EMPTY % b"429 Too Many Requests"
NOBODY = EMPTY % b"502 Bad Gateway"

Answer = Callable[[float], bytes | None]
"""Second of the story -> what the server answers then; None: it closes the connection."""


@pytest.fixture
def time() -> Iterator[SharedTime]:
    shared = SharedTime()
    yield shared
    shared.close()


class Story:
    """So many images of one host, and how the host behaves."""

    def __init__(self, time: SharedTime, answer: Answer, rate_share: float = 1.0, **chosen: Any) -> None:
        settings: dict[str, Any] = {"allow_private_hosts": True, "hosts": {}, "requests_per_s": 10.0}
        self._time, self._answer, self._began = time, answer, time.now
        self._fetcher = Fetcher(
            FetchSettings.model_validate(settings | chosen),
            rate_share,
            clock=time.clock,
            sleep=time.sleep,
            jitter=random.Random(1).random,
        )
        self._concurrency = FetchSettings.model_validate(settings | chosen).concurrency
        self.asked: list[tuple[float, bool]] = []
        """Second of the story, and whether the request was refused."""

    def play(self, images: int) -> list[Fetched]:
        return self._time.run(self._play(images), self._is_busy)

    def _is_busy(self) -> bool:
        return self._fetcher.hosts.in_flight._value < self._concurrency

    async def _play(self, images: int) -> list[Fetched]:
        async with self._server() as base:
            window = asyncio.Semaphore(64)

            async def one(number: int) -> Fetched:
                async with window:
                    return await self._fetcher.fetch(FetchRequest(f"{base}/{number}.jpg"))

            try:
                return await asyncio.gather(*map(one, range(images)))
            finally:
                await self._fetcher.close()

    @asynccontextmanager
    async def _server(self) -> Any:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                at = self._time.now - self._began
                answer = self._answer(at)
                self.asked.append((at, answer != OK))
                if answer is None:
                    return
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def outcomes(fetched: list[Fetched]) -> Counter[Outcome]:
    return Counter(image.outcome for image in fetched)


def most_in_a_second(asked: list[tuple[float, bool]]) -> int:
    return max(sum(begin <= at < begin + 0.999 for at, _ in asked) for begin, _ in asked)


@pytest.mark.parametrize("answer", [None, NOBODY, BUSY])
@pytest.mark.parametrize("away_s", [30.0, 300.0])
def test_no_image_is_lost_to_a_host_that_is_away_for_a_while(
    time: SharedTime, away_s: float, answer: bytes | None
) -> None:
    story = Story(time, lambda at: answer if 10.0 <= at < 10.0 + away_s else OK)
    assert outcomes(story.play(300)) == {Outcome.OK: 300}
    last = max(at for at, _ in story.asked)
    assert last < 30.0 + away_s + 15.0, "it goes on soon after the host is back"
    # The HTTP client itself asks again at once where a kept connection was closed.
    assert most_in_a_second(story.asked) <= (10 if answer else 20)
    in_vain = sum(is_refused for _, is_refused in story.asked)
    assert in_vain < 40 + away_s / 3, "probed by few requests meanwhile"


def test_a_host_that_stays_away_costs_no_more_than_the_time_that_is_waited(time: SharedTime) -> None:
    story = Story(time, lambda at: None if at >= 10.0 else OK, wait_for_host_s=60.0)
    fetched = story.play(300)
    assert set(outcomes(fetched)) == {Outcome.OK, Outcome.CONNECT}
    assert time.now - 1_000.0 < 10.0 + 60.0 + 20.0
    left = next(image for image in reversed(fetched) if image.data is None)
    assert left.detail is not None
    assert "the host has given no answer for 6" in left.detail


@pytest.mark.parametrize("rate_share", [1.0, 0.25])
def test_a_storm_of_refusals_costs_no_image_and_the_rate_is_back_soon_after(
    time: SharedTime, rate_share: float
) -> None:
    chance = random.Random(2)
    story = Story(time, lambda at: BUSY if 10.0 <= at < 70.0 and chance.random() < 0.7 else OK, rate_share)
    images = round(2_000 * rate_share)
    assert outcomes(story.play(images)) == {Outcome.OK: images}
    last_refusal = max(at for at, is_refused in story.asked if is_refused)
    after = [at for at, _ in story.asked if last_refusal + 10.0 <= at < last_refusal + 20.0]
    assert len(after) >= 99 * rate_share
    assert most_in_a_second(story.asked) <= 10
    in_storm = sum(10.0 <= at < 70.0 for at, _ in story.asked)
    assert in_storm < 300 * rate_share + 60, "a storm is asked much less than the rate"


def test_one_image_that_is_always_refused_is_given_up_after_its_attempts(time: SharedTime) -> None:
    count = iter(range(10_000))
    story = Story(time, lambda _: BUSY if next(count) % 10 == 0 else OK)
    assert outcomes(story.play(200))[Outcome.OK] >= 195
    alone = Story(time, lambda _: BUSY, concurrency=1)
    (fetched,) = alone.play(1)
    assert (fetched.outcome, fetched.attempts) == (Outcome.THROTTLED, 4)


def ahead(urls: list[str], **chosen: Any) -> dict[str, Fetched]:
    settings = FetchSettings(allow_private_hosts=True, attempts=1, backoff_base_s=0.0, wait_for_host_s=600.0)
    return dict(fetch_ahead(urls, FetchRequest, settings, rate_share=1.0, max_images=16, max_bytes=1 << 20, **chosen))


def test_images_of_other_hosts_do_not_wait_for_one_that_is_away(loopback: Loopback) -> None:
    away = [f"http://127.0.0.2:{closed_port()}/{number}.jpg" for number in range(40)]
    here = [loopback.url(f"/big/1000/{number}.jpg") for number in range(60)]
    absences: dict[str, float] = {}
    found = ahead(away + here, is_last_pass=False, absences=absences)
    assert Counter(found[url].outcome for url in here) == {Outcome.OK: 60}
    assert Counter(found[url].outcome for url in away) == {Outcome.CONNECT: 40}
    assert found[away[-1]].detail == ("the host is away or asked for a pause; it is asked again at the end of the run")
    assert list(absences) == ["127.0.0.2"]


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running
