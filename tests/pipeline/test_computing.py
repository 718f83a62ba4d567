"""Pictures that end or fail whoever measures or scores them cost a row each, in line and apart."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eoltag.image.features import FEATURES
from eoltag.model.engines.openvino import OpenVinoNetwork
from eoltag.model.package import Package
from eoltag.pipeline import computing
from eoltag.pipeline.computing import Computer, Failed, InLine, apart
from eoltag.pipeline.partition import Job, KeptPixels, score_copies, tag_images
from eoltag.pipeline.rows import ImageRow, MeasureRow, Row, ScoreRow
from tests.pipeline.test_partition import job_of, wanted
from tests.support import deadly
from tests.support.loopback import Loopback
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_based_package, write_tiny_package

IMAGES = 6
EXHAUSTED = "it takes more memory than this process may have"
DEAD = "the worker died while scoring it (SIGSEGV)"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """Six pictures of which all models make something else, and two sheets that are deadly when they are scored."""
    for number in range(IMAGES):
        save(tmp_path / f"{number}.jpg", number, (400, 300))
    for kind in (deadly.segfault, deadly.exhaust):
        (tmp_path / f"{kind.__name__}.png").write_bytes(deadly.sheet(kind))
    with Loopback(tmp_path) as running:
        yield running


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """A model made in a moment."""
    return write_tiny_package(tmp_path / "tiny", "ab", 1)


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and features of this process and of children meet deadly pictures."""
    monkeypatch.setattr(OpenVinoNetwork, "predict", OpenVinoNetwork.predict)
    monkeypatch.setitem(FEATURES, "mnorm_pp", FEATURES["mnorm_pp"])
    for module in (computing, deadly.careful):
        monkeypatch.setattr(module, "CHILD", module.CHILD)
    monkeypatch.setattr(deadly.careful, "decode", deadly.careful.decode)
    deadly.poison()


def found(job: Job, server: Loopback, names: list[str], computer: Computer | None = None) -> dict[str, list[Row]]:
    """Name -> its answers, in their order; "" -> all other rows."""
    rows: dict[str, list[Row]] = {"": []}
    for item, row in tag_images([wanted(server.url(name)) for name in names], job, rate_share=1.0, computer=computer):
        rows.setdefault("" if item is None else str(item.url).rpartition("/")[2], []).append(row)
    return rows


def last_answers(rows: dict[str, list[Row]]) -> dict[str, tuple[str, str | None]]:
    """Name -> outcome and detail of its last answer."""
    answers = {name: several[-1] for name, several in rows.items() if name}
    return {name: (row.outcome, row.detail) for name, row in answers.items() if isinstance(row, ImageRow)}


def scores_of(rows: dict[str, list[Row]]) -> dict[str, bytes]:
    """Content -> its scores."""
    return {row.content_sha256: row.scores.tobytes() for row in rows[""] if isinstance(row, ScoreRow)}


SOUND = [f"{number}.jpg" for number in range(IMAGES)]


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("is_apart", [False, True], ids=["whole", "base and heads"])
def test_memory_that_runs_out_while_a_batch_is_scored_costs_the_row_of_its_picture(
    is_apart: bool, server: Loopback, package: Package, tmp_path: Path
) -> None:
    job = job_of(package)
    if is_apart:
        job = job_of(write_tiny_based_package(tmp_path / "based", "ab", 1), is_apart=True)
    alone = scores_of(found(job, server, SOUND))
    rows = found(job, server, [*SOUND[:1], "exhaust.png", *SOUND[1:]])
    assert last_answers(rows) == {
        **dict.fromkeys(SOUND, ("ok", None)),
        "exhaust.png": ("undecodable", f"scoring it failed: {EXHAUSTED}"),
    }
    assert scores_of(rows) == alone, "all others, to the bit"
    first, second = (row for row in rows["exhaust.png"] if isinstance(row, ImageRow))
    assert first.outcome == "ok"
    assert second.asked_at > first.asked_at, "so that the later answer is the current one"


@pytest.mark.usefixtures("poisoned")
def test_a_picture_that_ends_the_process_of_its_model_costs_its_row(server: Loopback, package: Package) -> None:
    job = job_of(package)
    alone = scores_of(found(job, server, SOUND))
    with apart(job.models, 5.0) as computer:
        rows = found(job, server, ["segfault.png", *SOUND, "exhaust.png"], computer)
    assert last_answers(rows) == {
        **dict.fromkeys(SOUND, ("ok", None)),
        "segfault.png": ("undecodable", DEAD),
        "exhaust.png": ("undecodable", f"scoring it failed: {EXHAUSTED}"),
    }
    assert scores_of(rows) == alone, "all others, to the bit"


@pytest.mark.usefixtures("poisoned")
def test_a_picture_that_cannot_be_measured_costs_its_row(server: Loopback, package: Package) -> None:
    job = job_of(package, measures=("mnorm_pp",))
    rows = found(job, server, [*SOUND, "exhaust.png"])
    assert last_answers(rows)["exhaust.png"] == ("undecodable", f"measuring mnorm_pp failed: {EXHAUSTED}")
    with apart(job.models, 60.0) as computer:
        again = found(job, server, [*SOUND, "segfault.png"], computer)
    assert last_answers(again)["segfault.png"] == ("undecodable", DEAD.replace("scoring it", "measuring mnorm_pp"))
    values = [
        {row.content_sha256: row.value for row in one[""] if isinstance(row, MeasureRow)} for one in (rows, again)
    ]
    assert values[0] == values[1]
    assert len(values[0]) == IMAGES


@pytest.mark.usefixtures("poisoned")
def test_the_same_file_under_another_url_fails_at_once(server: Loopback, package: Package, tmp_path: Path) -> None:
    (tmp_path / "copy.png").write_bytes((tmp_path / "exhaust.png").read_bytes())
    job = job_of(package)
    one_by_one = job.settings.fetch.model_copy(update={"concurrency": 1})
    job = replace(job, settings=job.settings.model_copy(update={"fetch": one_by_one}))
    for number in range(IMAGES, 2 * IMAGES):
        save(tmp_path / f"{number}.jpg", number, (400, 300))
    rows = found(job, server, ["exhaust.png", *(f"{number}.jpg" for number in range(2 * IMAGES)), "copy.png"])
    assert last_answers(rows)["copy.png"] == ("undecodable", f"scoring it failed: {EXHAUSTED}")
    assert len(rows["copy.png"]) == 1


@pytest.mark.usefixtures("poisoned")
def test_a_kept_copy_that_cannot_be_scored_is_told_and_the_others_are_scored(
    server: Loopback, package: Package, tmp_path: Path
) -> None:
    assert server.root == tmp_path
    copies = [
        KeptPixels(name, (tmp_path / name).read_bytes(), (package.version,), None, 400, 300)
        for name in ("0.jpg", "exhaust.png", "1.jpg")
    ]
    told: list[str] = []
    rows = list(score_copies(copies, job_of(package), on_broken=told.append))
    assert told == ["exhaust.png"]
    assert [row.content_sha256 for row in rows if isinstance(row, ScoreRow)] == ["0.jpg", "1.jpg"]


def test_a_runtime_that_scores_nothing_at_all_is_no_fault_of_the_pictures(
    server: Loopback, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the device\nis lost")

    monkeypatch.setattr(OpenVinoNetwork, "predict", broken)
    with pytest.raises(Failed, match=r"^scoring it failed: the device is lost$"):
        found(job_of(package), server, SOUND)


def test_what_is_computed_apart_is_the_same_and_no_child_starts_for_nothing(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = job_of(package, write_tiny_based_package(tmp_path / "based", "abc", 2), is_apart=False).models
    (network, other) = models.networks
    pixels = np.random.default_rng(1).integers(0, 256, (3, network.spec.height, network.spec.width, 3), np.uint8)
    with apart(models, 5.0) as far:
        for one in (network, other):
            here, there = (computer.begin(one, pixels)() for computer in (InLine(models), far))
            assert {key: (name, rows.tobytes()) for key, (name, rows) in here.scores.items()} == {
                key: (name, rows.tobytes()) for key, (name, rows) in there.scores.items()
            }
    monkeypatch.setattr(computing, "Child", None)
    with apart(models, 5.0):
        pass
