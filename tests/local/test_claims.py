"""Claims on a directory: one of those that start together gets it, dead ones are taken over, odd ones never trace."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from eoltag.errors import OutputError
from eoltag.local import files
from eoltag.local.claims import Claim, Heartbeat, own_claim, take
from eoltag.local.processes import own_token

ELSEWHERE = Claim("r1", "elsewhere", 7, "7_1_00000000_00000000", 300.0, is_held=True)


def mine(run_id: str = "r2") -> Claim:
    """A claim of a process on another machine than all others."""
    return replace(own_claim(run_id, 300.0), process=f"{len(run_id)}_1_00000000_00000000", host=f"host-{run_id}")


def put(folder: Path, claim: Claim, age_s: float = 0.0) -> Path:
    """A claim file of this age."""
    path = folder / f"{claim.run_id}.json"
    files.write_text(str(path), json.dumps(asdict(claim)))
    old = path.stat().st_mtime - age_s
    os.utime(path, (old, old))
    return path


def outcome(folder: Path, name: str) -> str:
    """Who has the directory when this run has tried to take it."""
    try:
        take(files, str(folder), mine(name))
    except OutputError as problem:
        return str(problem)
    return name


@pytest.mark.parametrize("count", [2, 8])
def test_of_runs_that_start_together_exactly_one_goes_on_and_the_others_name_it(tmp_path: Path, count: int) -> None:
    for turn in range(10):
        folder, barrier = tmp_path / str(turn), threading.Barrier(count)

        def start(name: str, folder: Path = folder, barrier: threading.Barrier = barrier) -> str:
            barrier.wait()
            return outcome(folder, name)

        with ThreadPoolExecutor(count) as pool:
            found = list(pool.map(start, [f"r{number}" for number in range(count)]))
        (winner,) = (one for one in found if not one.startswith("run "))
        assert [path.name for path in folder.iterdir()] == [f"{winner}.json"]
        for one in found:
            assert one == winner or " is at work here (host host-r" in one
        assert outcome(folder, "late").startswith(f"run {winner} is at work here (host host-{winner}, process")


def test_a_run_that_only_wants_it_is_waited_for_by_the_first_one_and_gives_way_to_it(tmp_path: Path) -> None:
    rival, waits = put(tmp_path, replace(ELSEWHERE, run_id="r9", is_held=False)), []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            rival.unlink()  # it has given way

    assert take(files, str(tmp_path), mine(), wait).is_held
    assert len(waits) == 3
    (tmp_path / "r2.json").unlink()
    put(tmp_path, replace(ELSEWHERE, run_id="r1", is_held=False))
    with pytest.raises(OutputError, match="run r1 is at work here"):
        take(files, str(tmp_path), mine("r5"), wait)
    assert [path.name for path in tmp_path.iterdir()] == ["r1.json"]


def test_a_silent_run_of_any_host_is_dead_after_its_time(tmp_path: Path) -> None:
    put(tmp_path, ELSEWHERE, age_s=290)
    with pytest.raises(
        OutputError, match=r"run r1 .*elsewhere, process 7\); .* dead 300 s after its last sign of life"
    ):
        take(files, str(tmp_path), mine())
    put(tmp_path, ELSEWHERE, age_s=310)
    assert take(files, str(tmp_path), mine()).run_id == "r2"
    assert [path.name for path in tmp_path.iterdir()] == ["r2.json"]


def test_on_this_machine_a_dead_run_is_known_at_once_also_by_a_number_that_was_given_again(tmp_path: Path) -> None:
    pid, started, *machine = own_token().split("_")
    alive = own_token_of_parent()
    put(tmp_path, replace(ELSEWHERE, process=alive), age_s=10_000)
    with pytest.raises(OutputError, match="run r1 is at work here"):
        take(files, str(tmp_path), mine())
    for dead in (f"{pid}_{int(started) - 1}_{'_'.join(machine)}", f"4194305_1_{'_'.join(machine)}"):
        put(tmp_path, replace(ELSEWHERE, process=dead))
        assert take(files, str(tmp_path), mine()).is_held


def own_token_of_parent() -> str:
    """The token of the process that started this one."""
    fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
    return f"{os.getppid()}_{fields[19]}_{own_token().split('_', 2)[2]}"


@pytest.mark.parametrize(
    "content",
    [b"", b'{"run', b"[]", b"null", b"\xff\xfe\x00", b"[" * 100_000, b'{"run_id": "x"}', b'{"odd": 1}',
     json.dumps({**asdict(ELSEWHERE), "stale_s": -1.0}).encode(),
     json.dumps({**asdict(ELSEWHERE), "pid": []}).encode()],
)  # fmt: skip
def test_an_odd_lock_file_is_somebodys_until_it_is_stale_and_never_a_trace(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path, ELSEWHERE)
    path.write_bytes(content)
    with pytest.raises(OutputError, match="run r1 is at work here"):
        take(files, str(tmp_path), mine())
    os.utime(path, (1, 1))
    (tmp_path / "folder.json").mkdir()
    os.utime(tmp_path / "folder.json", (1, 1))
    assert take(files, str(tmp_path), mine()).is_held
    assert [path.name for path in tmp_path.iterdir()] == ["r2.json"]


def test_a_sign_of_life_keeps_the_claim_fresh_and_notices_when_it_is_gone(tmp_path: Path) -> None:
    lost: list[OutputError] = []
    held = take(files, str(tmp_path), replace(mine(), stale_s=0.05))
    heart = Heartbeat(files, str(tmp_path), held, lost.append)
    path = tmp_path / "r2.json"
    os.utime(path, (1, 1))
    heart.beat()
    assert path.stat().st_mtime > 1
    assert json.loads(path.read_text())["is_held"]
    path.unlink()
    heart._run()  # as its thread does
    assert [str(one).split(":")[0] for one in lost] == ["the lock of this run is gone"]
    assert not path.exists()


def test_a_run_that_was_suspended_for_long_gives_way_to_the_one_that_took_over(tmp_path: Path) -> None:
    held = take(files, str(tmp_path), replace(mine(), stale_s=1e-9))
    heart = Heartbeat(files, str(tmp_path), held, lambda _: None)
    heart.check()  # nobody has come
    put(tmp_path, ELSEWHERE)
    with pytest.raises(OutputError, match="another run has taken over"):
        heart.check()


def test_what_runs_that_were_killed_while_they_wrote_a_claim_have_left_is_dropped(tmp_path: Path) -> None:
    dead = put(tmp_path, ELSEWHERE, age_s=301.0)
    beside = {name: tmp_path / f"{name}.json.tmp" for name in ("r1", "old", "new", "r2")}
    for path in beside.values():
        path.write_text('{"run_id": ')
    old = beside["old"].stat().st_mtime - 301.0
    os.utime(beside["old"], (old, old))
    assert outcome(tmp_path, "r2") == "r2"
    assert not dead.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.json.tmp", "r2.json"], "new may be at it"
