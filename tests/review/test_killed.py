"""A service that is killed in the middle of judgements: what it has confirmed is there, and nothing is there twice."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from eoltag.judgements.record import read
from tests.review.conftest import TOKEN, content_of, write_output
from tests.support.paths import ROOT

PEOPLE = ("Anna", "Ben")
KILLS = 2


def start(output: Path, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """The command itself, and the address that it prints."""
    words = [sys.executable, "-m", "eoltag", "review", str(output), "--port", str(port), "--token", TOKEN]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env)
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
    assert found is not None
    return process, found[0]


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_where_two_people_judge_and_the_service_is_killed_again_and_again(
    tmp_path: Path,
) -> None:
    urls = [f"https://eol.org/{number}.jpg" for number in range(60)]
    write_output(tmp_path / "out", urls)
    process, address = start(tmp_path / "out")
    port = int(address.rsplit(":", 1)[1].strip("/"))
    counted, lock, is_over = [0], threading.Lock(), threading.Event()

    def judge(person: str) -> None:
        """As the page does: what was not confirmed is sent again, under the same ID."""
        with httpx.Client(base_url=address, headers={"X-Token": TOKEN}, timeout=20) as client:
            for number, url in enumerate(urls):
                said = {"person": person, "task": "kind", "content_sha256": content_of(url), "said_tag": "map",
                        "id": f"{person}-judgement-{number}"}  # fmt: skip
                while True:
                    try:
                        assert client.post("/api/judge", json=[said]).status_code == 200
                        break
                    except httpx.TransportError:
                        is_over.wait(0.05)
                with lock:
                    counted[0] += 1

    threads = [threading.Thread(target=judge, args=(person,)) for person in PEOPLE]
    for thread in threads:
        thread.start()
    try:
        for kill in range(1, KILLS + 1):
            while counted[0] < kill * len(urls) * len(PEOPLE) // (KILLS + 1):
                threads[0].join(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]
            process, _ = start(tmp_path / "out", port)
        for thread in threads:
            thread.join()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    found = [(one.person, one.content_sha256) for one in read(tmp_path / "out")]
    assert sorted(found) == sorted((person, content_of(url)) for person in PEOPLE for url in urls)
