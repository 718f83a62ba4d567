"""What is taken of a provider's quotas, and how long one waits for room."""

from pathlib import Path

import pytest

from eoltag.errors import DataError
from train.collect.ledger import Ledger, state_folder
from train.collect.providers.policy import DAY_S, HOUR_S, Quota

NOON = 1_790_000_000.0


class Clock:
    """A clock that only a sleeper moves."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def ledger(folder: Path, clock: Clock, *quotas: Quota, name: str = "inaturalist") -> Ledger:
    """As a new run opens it."""
    return Ledger(name, quotas, folder, clock=clock, sleep=clock.sleep)


def test_what_another_run_took_counts_and_what_is_older_than_the_window_does_not(tmp_path: Path) -> None:
    clock, quota = Clock(), Quota(5_000, "bytes", HOUR_S)
    ledger(tmp_path, clock, quota).note("bytes", 3_000)
    clock.now += 600
    again = ledger(tmp_path, clock, quota)
    again.wait("bytes", 2_000)
    assert clock.now == NOON + 600
    again.note("bytes", 2_000)
    again.wait("bytes", 1_000)
    assert clock.now == NOON + HOUR_S
    again.wait("bytes", 4_000)
    assert clock.now == NOON + HOUR_S + 600


def test_a_day_that_is_used_up_ends_the_command_and_says_when_there_is_room(tmp_path: Path) -> None:
    clock, quota = Clock(), Quota(2, "requests", DAY_S)
    for _ in range(2):
        ledger(tmp_path, clock, quota, name="openverse").take("requests", 1)
        clock.now += 60
    with pytest.raises(
        DataError, match=r"^openverse: its 2 requests in 24 h are used up; there is room again at 2026-"
    ):
        ledger(tmp_path, clock, quota, name="openverse").take("requests", 1)
    clock.now = NOON + DAY_S + 1
    ledger(tmp_path, clock, quota, name="openverse").take("requests", 1)
    assert clock.now == NOON + DAY_S + 1


def test_more_than_the_whole_quota_waits_until_nothing_else_is_in_the_window(tmp_path: Path) -> None:
    clock, quota = Clock(), Quota(100, "bytes", 10)
    own = ledger(tmp_path, clock, quota)
    own.take("bytes", 500)
    own.take("bytes", 500)
    assert clock.now == NOON + 10


def test_lines_that_a_kill_cut_short_and_files_of_last_week_are_passed_over(tmp_path: Path) -> None:
    clock, quota = Clock(), Quota(1, "requests", DAY_S)
    ledger(tmp_path, clock, quota).note("requests", 1)
    (written,) = tmp_path.iterdir()
    written.write_text(written.read_text()[:9])
    ledger(tmp_path, clock, quota).take("requests", 1)
    clock.now += 7 * DAY_S
    ledger(tmp_path, clock, quota).take("requests", 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_provider_without_quotas_leaves_no_file(tmp_path: Path) -> None:
    ledger(tmp_path / "none", Clock()).take("requests", 1)
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written .* set XDG_STATE_HOME"):
        ledger(tmp_path / "file" / "below", Clock(), Quota(1, "requests", DAY_S)).take("requests", 1)


def test_the_state_of_a_user_lies_where_the_desktop_standard_says(tmp_path: Path) -> None:
    assert state_folder({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "eoltag" / "collect"
    assert state_folder({}) == Path.home() / ".local" / "state" / "eoltag" / "collect"
