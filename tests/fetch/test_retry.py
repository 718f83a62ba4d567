"""When to ask again."""

import pickle

import pytest

from eoltag.fetch.retry import LONGEST_RETRY_AFTER_S, RetryPolicy, parse_retry_after
from eoltag.settings import FetchSettings

POLICY = RetryPolicy(attempts=4, base_s=1.0, cap_s=60.0)
NOON = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110."""


def test_waits_double_from_one_failure_to_the_next() -> None:
    assert [POLICY.wait_s(attempt, 0.0, None) for attempt in (1, 2, 3)] == [0.5, 1.0, 2.0]


def test_chance_adds_up_to_as_much_again() -> None:
    assert POLICY.wait_s(1, 0.5, None) == 0.75
    assert POLICY.wait_s(3, 0.999, None) == pytest.approx(4.0, abs=0.01)


def test_the_last_attempt_is_followed_by_none() -> None:
    assert POLICY.wait_s(4, 0.0, None) is None
    assert RetryPolicy(attempts=1, base_s=1.0, cap_s=60.0).wait_s(1, 0.0, None) is None


def test_the_wish_of_the_server_is_obeyed_when_longer() -> None:
    assert POLICY.wait_s(1, 0.0, 7.0) == 7.0
    assert POLICY.wait_s(3, 0.0, 0.1) == 2.0


def test_a_server_that_asks_for_more_than_the_cap_is_left_to_the_next_run() -> None:
    assert POLICY.wait_s(1, 0.0, 60.0) == 60.0
    assert POLICY.wait_s(1, 0.0, 60.1) is None
    patient = RetryPolicy(attempts=4, base_s=1.0, cap_s=60.0, wait_for_host_s=90.0)
    assert [patient.wait_s(1, 0.0, wish_s) for wish_s in (90.0, 90.1)] == [90.0, None]


def test_a_pause_takes_no_attempt() -> None:
    assert RetryPolicy(attempts=1, base_s=1.0, cap_s=60.0).pause_s(3, 0.0, None) == 2.0


def test_no_backoff_is_longer_than_the_cap() -> None:
    assert RetryPolicy(attempts=20, base_s=1.0, cap_s=5.0).wait_s(19, 0.0, None) == 2.5
    assert POLICY.backoff_s(10_000, 0.0) == 30.0


def test_the_policy_is_what_the_settings_say_and_both_survive_pickling() -> None:
    settings = FetchSettings(attempts=7, backoff_base_s=0.25, backoff_cap_s=9, wait_for_host_s=90)
    policy = RetryPolicy.of(settings)
    assert policy == RetryPolicy(attempts=7, base_s=0.25, cap_s=9.0, wait_for_host_s=90.0)
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("9" * 400, LONGEST_RETRY_AFTER_S),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sun, 06 Nov 1994 08:50:37 -0000", 60.0),
        ("Sun, 06 Nov 1994 08:48:37 GMT", 0.0),
        ("Sun, 99 Nov 1994 08:48:37 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER_S),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOON) == seconds
