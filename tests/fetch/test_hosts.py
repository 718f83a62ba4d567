"""Which addresses are asked, and how fast."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address
from itertools import pairwise

import pytest

from eoltag.errors import ConnectFailed, Throttled
from eoltag.fetch.addresses import is_public, parse_address
from eoltag.fetch.hosts import AWAY_AFTER, RECOVERY_S, Host, Hosts
from eoltag.settings import FetchSettings
from tests.support.fake_time import SharedTime


@pytest.fixture
def time() -> Iterator[SharedTime]:
    shared = SharedTime()
    yield shared
    shared.close()


def make_hosts(time: SharedTime, rate_share: float = 1.0, **settings: object) -> Hosts:
    chosen = {
        "requests_per_s": 10.0,
        "hosts": {},
        "backoff_base_s": 2.0,
        "backoff_cap_s": 60.0,
        "wait_for_host_s": 600.0,
    } | settings
    parsed = FetchSettings.model_validate(chosen)
    return Hosts(parsed, rate_share, clock=time.clock, sleep=time.sleep, jitter=lambda: 0.0)


def ask(
    time: SharedTime,
    host: Host,
    times: int,
    lasting_s: Callable[[int], float] = lambda _: 0.0,
    *,
    is_refused: bool = False,
) -> list[float]:
    """Asks so many times at once; returns after how many seconds each request started."""
    began = time.now

    async def one(number: int) -> float:
        asked_at = await host.take_turn()
        await time.sleep(lasting_s(number))
        host.answered(asked_at, 429 if is_refused else 200, None)
        host.end_turn()
        return asked_at - began

    async def all_of_them() -> list[float]:
        return await asyncio.gather(*(one(number) for number in range(times)))

    return time.run(all_of_them())


def push_back(time: SharedTime, host: Host, retry_after_s: float | None = None, *, at_once: int = 1) -> None:
    """Asks so many times at once and gets 429 each time."""

    async def all_of_them() -> None:
        asked = [await host.take_turn() for _ in range(at_once)]
        for asked_at in asked:
            host.answered(asked_at, 429, retry_after_s)
            host.end_turn()

    time.run(all_of_them())


def spacing(starts: list[float]) -> list[float]:
    return [round(later - earlier, 6) for earlier, later in pairwise(starts)]


def test_requests_to_one_host_are_evenly_spaced(time: SharedTime) -> None:
    assert ask(time, make_hosts(time).of("a.org"), 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_worker_takes_only_its_share_of_the_rate(time: SharedTime) -> None:
    hosts = make_hosts(time, rate_share=0.25)
    assert spacing(ask(time, hosts.of("a.org"), 3)) == [0.4, 0.4]
    hosts.rate_share = 0.5
    assert spacing(ask(time, hosts.of("a.org"), 4))[1:] == [0.2, 0.2]


def test_the_table_of_hosts_goes_before_the_general_rate_and_zero_means_no_limit(time: SharedTime) -> None:
    hosts = make_hosts(time, hosts={"slow.org": 2.0, "free.org": 0.0})
    assert spacing(ask(time, hosts.of("slow.org"), 3)) == [0.5, 0.5]
    assert ask(time, hosts.of("free.org"), 5) == [0.0] * 5
    assert spacing(ask(time, hosts.of("other.org"), 3)) == [0.1, 0.1]


def test_no_second_holds_more_than_the_rate_even_after_slow_requests(time: SharedTime) -> None:
    starts = ask(time, make_hosts(time, concurrency=3).of("a.org"), 60, lambda number: 2.0 if number < 6 else 0.0)
    assert len(starts) == 60
    assert max(sum(start <= at < start + 0.999 for at in starts) for start in starts) == 10


def test_one_host_does_not_slow_another(time: SharedTime) -> None:
    hosts = make_hosts(time)
    push_back(time, hosts.of("busy.org"), 30.0)
    assert ask(time, hosts.of("a.org"), 2) == pytest.approx([0.0, 0.1])


def test_no_more_requests_are_in_flight_than_the_settings_allow(time: SharedTime) -> None:
    hosts = make_hosts(time, requests_per_s=0.0, concurrency=2)
    assert ask(time, hosts.of("a.org"), 6, lambda _: 1.0) == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]


def test_a_busy_host_is_left_alone_by_all_images_for_the_time_it_names(time: SharedTime) -> None:
    host = make_hosts(time).of("a.org")
    push_back(time, host, 30.0)
    assert ask(time, host, 2)[0] == pytest.approx(30.0)


def test_who_waits_for_a_free_place_learns_of_a_pause_in_time(time: SharedTime) -> None:
    host = make_hosts(time, requests_per_s=0.0, concurrency=1).of("a.org")

    async def story() -> float:
        asked_at = await host.take_turn()
        next_turn = asyncio.ensure_future(host.take_turn())
        await time.sleep(1.0)
        host.answered(asked_at, 503, 30.0)
        host.end_turn()
        return await next_turn

    assert time.run(story()) - 1_000.0 == pytest.approx(31.0)


def test_a_busy_host_that_names_no_time_is_left_alone_longer_each_time_up_to_two_seconds(time: SharedTime) -> None:
    host = make_hosts(time, requests_per_s=0.0, backoff_base_s=0.5).of("a.org")
    pauses = []
    for _ in range(6):
        push_back(time, host)
        began = time.now
        ask(time, host, 1, is_refused=True)
        pauses.append(time.now - began)
    assert pauses[0] >= 0.25
    assert pauses[1] > pauses[0]
    assert max(pauses) < 5.0


def test_a_push_back_halves_the_rate_once_for_all_requests_under_way(time: SharedTime) -> None:
    host = make_hosts(time).of("a.org")
    push_back(time, host, at_once=16)
    assert host.rate == 5.0
    push_back(time, host)
    assert 2.5 <= host.rate < 5.0


def test_the_rate_has_a_floor(time: SharedTime) -> None:
    host = make_hosts(time, backoff_base_s=0.0, wait_for_host_s=0.0).of("a.org")
    for _ in range(40):
        host.answered(time.now, 429, 0.0)
        time.now += 0.01
    assert host.rate == pytest.approx(10.0 / 32, abs=0.01)


@pytest.mark.parametrize("rate_share", [1.0, 1 / 16])
def test_the_full_rate_is_back_a_few_seconds_after_the_last_push_back_for_any_number_of_workers(
    time: SharedTime, rate_share: float
) -> None:
    host = make_hosts(time, rate_share).of("a.org")
    for _ in range(6):
        push_back(time, host)
    slow, refused_at = host.rate, time.now
    ask(time, host, 1)
    half = RECOVERY_S / 2 - (time.now - refused_at)
    time.now += max(half, 0.0)
    assert slow <= 2.5
    assert host.rate < 5.0
    time.now = refused_at + 10.0
    assert host.rate == 10.0
    assert spacing(ask(time, host, 3))[1:] == [pytest.approx(0.1 / rate_share)]


def test_a_host_without_limit_gets_half_of_what_it_was_asked_lately_and_then_none_again(time: SharedTime) -> None:
    host = make_hosts(time, requests_per_s=0.0, concurrency=1).of("a.org")
    ask(time, host, 40, lambda _: 0.05)
    push_back(time, host)
    assert host.rate == pytest.approx(10.0, rel=0.05)
    time.now += 10.0
    assert host.rate == 0.0


def test_a_worker_takes_what_all_workers_asked_a_host_without_limit_for_its_rate(time: SharedTime) -> None:
    host = make_hosts(time, rate_share=0.25, requests_per_s=0.0, concurrency=1).of("a.org")
    ask(time, host, 40, lambda _: 0.05)  # 20 a second, as each of four workers does
    push_back(time, host)
    assert host.rate == pytest.approx(40.0, rel=0.05)
    assert spacing(ask(time, host, 4))[1:] == [pytest.approx(1 / (0.25 * 41), rel=0.05)] * 2


def test_a_host_that_wants_to_be_left_alone_for_an_hour_fails_its_images_at_once(time: SharedTime) -> None:
    host = make_hosts(time).of("a.org")
    push_back(time, host, 3600.0)
    began = time.now
    with pytest.raises(Throttled, match="alone for another 3600 s"):
        ask(time, host, 1)
    assert time.now == began
    time.now += 3600
    assert ask(time, host, 1) == [0.0]


GONE_AWAY = ConnectFailed("refused")


def go_away(host: Host, *, may_pass: bool = True) -> None:
    for _ in range(AWAY_AFTER):
        host.gave_no_answer(GONE_AWAY, may_pass=may_pass)


def test_a_host_is_away_after_many_requests_without_an_answer_until_it_answers(time: SharedTime) -> None:
    host = make_hosts(time).of("a.org")
    for _ in range(AWAY_AFTER - 1):
        host.gave_no_answer(GONE_AWAY)
    assert not host.is_away
    host.gave_no_answer(GONE_AWAY)
    assert host.is_away
    ask(time, host, 1)
    assert not host.is_away


def test_a_host_that_is_away_is_probed_by_one_request_at_a_time_ever_more_rarely(time: SharedTime) -> None:
    host = make_hosts(time).of("a.org")
    go_away(host)
    began, probes = time.now, []

    async def one() -> None:
        probes.append(await host.take_turn() - began)
        host.gave_no_answer(GONE_AWAY)
        host.end_turn()

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(6)))

    time.run(all_of_them())
    assert probes == pytest.approx([0.5, 1.5, 3.5, 7.5, 11.5, 15.5])


def test_after_as_long_as_anybody_waits_images_fail_at_once_but_for_a_probe_now_and_then(time: SharedTime) -> None:
    host = make_hosts(time, wait_for_host_s=60.0).of("a.org")
    go_away(host)
    time.now += 59.0
    assert not host.is_given_up
    time.now += 1.0
    assert host.is_given_up

    async def probe_in_vain() -> None:
        await host.take_turn()
        host.gave_no_answer(GONE_AWAY)
        host.end_turn()

    time.run(probe_in_vain())
    with pytest.raises(ConnectFailed, match="no answer for 60 s: refused"):
        ask(time, host, 1)
    time.now += 8.0
    assert ask(time, host, 1) == [0.0]
    assert not host.is_given_up


def test_the_last_pass_waits_anew_for_a_host_that_was_given_up(time: SharedTime) -> None:
    hosts = make_hosts(time, wait_for_host_s=60.0)
    host = hosts.of("a.org")
    hosts.begin_pass(is_last=False)
    go_away(host)
    time.now += 100.0
    assert host.is_given_up
    hosts.begin_pass(is_last=True)
    assert not host.is_given_up
    time.now += 60.0
    hosts.begin_pass(is_last=True)
    assert host.is_given_up


def test_nobody_waits_for_a_name_that_does_not_exist(time: SharedTime) -> None:
    host = make_hosts(time).of("no-such.org")
    go_away(host, may_pass=False)
    assert (host.is_away, host.is_given_up) == (False, True)
    assert ask(time, host, 1) == [0.0]


def test_a_host_that_turns_everybody_away_is_away_as_well(time: SharedTime) -> None:
    host = make_hosts(time).of("a.org")
    for _ in range(AWAY_AFTER):
        host.answered(time.now, 502, None)
    assert host.is_away
    assert host.set_aside == 0


def test_what_was_away_is_told_with_its_longest_time(time: SharedTime) -> None:
    hosts = make_hosts(time)
    host = hosts.of("a.org")
    go_away(host)
    time.now += 30.0
    host.answered(time.now, 200, None)
    hosts.of("b.org").answered(time.now, 200, None)
    assert (hosts.absences(), hosts.absences()) == ({"a.org": 30.0}, {})


def test_a_cancelled_wait_leaves_the_queue_moving(time: SharedTime) -> None:
    host = make_hosts(time, concurrency=1).of("a.org")

    async def story() -> float:
        await host.take_turn()
        first, second = (asyncio.ensure_future(turn) for turn in _two(host.take_turn))
        await asyncio.sleep(0)
        first.cancel()
        host.end_turn()
        return await second

    assert time.run(story()) - 1_000.0 == pytest.approx(0.1)


def _two(make: Callable[[], Awaitable[float]]) -> tuple[Awaitable[float], Awaitable[float]]:
    return make(), make()


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.9.1",
        "161.26.0.10",
        "166.9.1.2",
        "168.63.129.16",
        "100.100.100.200",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "2002:a00:1::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "::ffff:168.63.129.16",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_global_unicast_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "160.111.248.41",
        "168.63.129.15",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_a_public_address_is_not(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001"]
)
def test_every_spelling_of_an_address_is_that_address(host: str) -> None:
    assert parse_address(host) == ip_address("127.0.0.1")


def test_ipv6_is_read_with_brackets_and_without_its_zone() -> None:
    assert parse_address("[::1]") == ip_address("::1")
    assert parse_address("fe80::1%eth0") == ip_address("fe80::1")


@pytest.mark.parametrize("host", ["localhost", "content.eol.org", "1.2.3.4.example.org", "", "cafe", "256.1.1.1"])
def test_a_name_is_no_address(host: str) -> None:
    assert parse_address(host) is None
