"""`python -m train thresholds`: a promised error is kept, or the label gets no threshold."""

import json
import re
import shutil
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from eoltag.audit.risk_control import FORGIVEN, LOGITS, PROBABILITIES, images_needed, risk_curve, upper_bound
from eoltag.decide.task import read_task, rule_conditions
from eoltag.model.package import read_package
from tests.support.html_tree import read_html
from train.__main__ import main

Reals = NDArray[np.float64]

DRAWS = 400


def thresholds(capsys: pytest.CaptureFixture[str], package: Path, data: Path, *more: object) -> Any:
    """The document of `python -m train thresholds ... --json`."""
    capsys.readouterr()
    assert main(["thresholds", str(package), str(data), *map(str, more), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a mistake is answered with."""
    capsys.readouterr()
    assert main(["thresholds", *map(str, arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.splitlines()[-1]


@pytest.fixture(scope="module")
def fresh_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 drawings that the small package has never seen."""
    folder = tmp_path_factory.mktemp("fresh")
    assert main(["sample-data", str(folder), "--per-class", "20", "--max-side", "96", "--seed", "5"]) == 0
    return folder


@pytest.fixture
def package(small_package: Path, tmp_path: Path) -> Path:
    """A copy that may be written to."""
    return Path(shutil.copytree(small_package, tmp_path / "package"))


LOOSE = ("--max-error", "0.4", "--confidence-level", "0.8")
"""A promise that a small model keeps on few images."""


# --- the promise


def true_error(error_at: Callable[[Reals], Reals], threshold: float) -> float:
    """Of images with normal scores (mean 3, spread 2) at or above the threshold, by integration."""
    scores = np.linspace(max(threshold, -7), 13, 4000)
    density = np.exp(-(((scores - 3) / 2) ** 2) / 2)
    return float((error_at(scores) * density).sum() / density.sum())


@pytest.mark.parametrize(
    ("error_at", "images"),
    [
        pytest.param(lambda s: 1 / (1 + np.exp(1.2 * s)), 300, id="errors that vanish with the score"),
        pytest.param(lambda s: np.where(s > 3, 0.01, 0.3), 150, id="errors that jump"),
        pytest.param(lambda s: np.full_like(s, 0.101), 600, id="a score that says nothing, just too many errors"),
        pytest.param(lambda s: np.where(s > 4, 0.14, 0.05), 600, id="errors that rise with the score"),
    ],
)
def test_the_true_error_exceeds_the_promise_in_no_more_than_five_percent_of_draws(
    error_at: Callable[[Reals], Reals], images: int
) -> None:
    rng = np.random.default_rng(1)
    broken = 0
    for _ in range(DRAWS):
        scores = rng.normal(3, 2, images)
        wrong = rng.random(images) < error_at(scores)
        chosen = risk_curve("a", "logit", scores, wrong, max_error=0.1, confidence_level=0.95).chosen
        broken += chosen is not None and true_error(error_at, chosen.threshold) > 0.1
    assert binomtest(broken, DRAWS, 0.05, alternative="greater").pvalue > 0.01, broken


def test_picking_the_best_of_many_plain_bounds_would_break_the_promise() -> None:
    """What the fixed sequence is for: the same draws, the lowest threshold whose own bound holds."""
    rng = np.random.default_rng(1)
    broken = 0
    for _ in range(DRAWS):
        wrong = rng.random(600)[rng.permutation(600)] < 0.101
        images = np.arange(1, 601)
        broken += bool((upper_bound(np.cumsum(wrong), images, 0.05) <= 0.1).any())
    assert broken / DRAWS > 0.1


def test_a_useful_score_gets_a_useful_threshold() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(3, 2, 1000)
    wrong = rng.random(1000) < 1 / (1 + np.exp(2 * scores))
    found = risk_curve("a", "logit", scores, wrong, max_error=0.1, confidence_level=0.95)
    assert found.chosen is not None
    assert found.chosen.coverage > 0.9
    assert found.chosen.bound <= 0.1
    at = [point.threshold for point in found.points].index(found.chosen.threshold)
    assert found.chosen.images == (scores >= found.chosen.threshold).sum()
    assert found.chosen.wrong == wrong[scores >= found.chosen.threshold].sum()
    assert found.points[at + 1].bound > 0.1


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    for wrong, images in ((0, 59), (3, 100), (7, 7)):
        interval = binomtest(wrong, images, alternative="less").proportion_ci(0.95, method="exact")
        assert upper_bound(np.array([wrong]), np.array([images]), 0.05)[0] == pytest.approx(interval.high)
    assert upper_bound(np.array([0]), np.array([0]), 0.05)[0] == 1.0


def test_fifty_nine_images_without_a_mistake_are_the_least_for_five_percent() -> None:
    assert images_needed(0, 0.05, 0.05) == 59
    for wrong in FORGIVEN:
        least = images_needed(wrong, 0.1, 0.05)
        bounds = upper_bound(np.array([wrong, wrong]), np.array([least - 1, least]), 0.05)
        assert bounds[1] <= 0.1 < bounds[0]
    right = np.zeros(59, bool)
    assert risk_curve("a", "logit", np.linspace(1, 2, 59), right, 0.05, 0.95).chosen is not None
    short = risk_curve("a", "logit", np.linspace(1, 2, 58), right[:58], 0.05, 0.95)
    assert short.chosen is None
    assert short.reason(0.05) == "only 58 images were given this label; at least 59, all right, are needed: 1 more"


def test_a_label_without_a_threshold_is_told_how_many_more_images_would_do() -> None:
    scores, wrong = np.linspace(9, 5, 60), np.zeros(60, bool)
    wrong[[10, 40]] = True
    found = risk_curve("a", "logit", scores, wrong, 0.05, 0.95)
    assert found.chosen is None
    more = found.more_needed(0.05)
    assert more is not None
    assert f"about {more} more images of this label might do" in str(found.reason(0.05))
    times = ceil((60 + more) / 60)
    again = risk_curve("a", "logit", np.tile(scores, times), np.tile(wrong, times), 0.05, 0.95)
    assert again.chosen is not None
    plain = found.plain(0.05)
    assert plain is not None
    assert (plain.images, plain.wrong) == (60, 2)


def test_a_label_that_errs_too_often_is_not_helped_by_more_images() -> None:
    found = risk_curve("a", "logit", np.linspace(9, 5, 200), np.arange(200) % 4 == 0, 0.05, 0.95)
    assert (found.chosen, found.more_needed(0.05)) == (None, None)
    assert str(found.reason(0.05)).endswith("more images alone would not do")


def test_testing_stops_at_the_first_threshold_that_fails_though_a_lower_one_would_pass() -> None:
    scores = np.linspace(15, 5, 100)
    found = risk_curve("a", "logit", scores, np.arange(100) == 62, 0.05, 0.95)
    bounds = {point.images: point.bound for point in found.points}
    assert bounds[62] <= 0.05 < bounds[63]
    assert bounds[100] <= 0.05
    assert found.chosen is not None
    assert (found.chosen.images, found.chosen.wrong) == (62, 0)


def test_one_mistake_at_the_top_does_not_end_the_search() -> None:
    scores = np.linspace(9, 5, 300)
    found = risk_curve("a", "logit", scores, np.arange(300) == 0, 0.05, 0.95)
    assert found.chosen is not None
    assert found.chosen.images == 300


def test_candidates_are_fixed_descending_and_round() -> None:
    for candidates in (LOGITS, PROBABILITIES):
        assert (np.diff(candidates) < 0).all()
    assert {1.5, 1.6, 0.0, -2.05} <= set(LOGITS.tolist())
    assert {0.999, 0.9, 0.55} <= set(PROBABILITIES.tolist())
    assert (LOGITS[0], LOGITS[-1]) > (5000, -20000)


def test_a_label_that_no_image_was_given_has_no_threshold() -> None:
    found = risk_curve("a", "probability", np.empty(0), np.empty(0, bool), 0.1, 0.95)
    assert (found.chosen, found.points) == (None, ())
    assert "only 0 images" in str(found.reason(0.1))


# --- the verb


def test_images_that_were_in_training_are_refused_and_counted(
    package: Path, sample_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, package, sample_images, *LOOSE, "--write")
    trained_on = (package / "data.tsv").read_text("utf-8").count("\ttrain\t")
    assert f"{trained_on} of its 100 images were in the training of" in line
    assert "--allow-seen" in line
    assert read_package(package).card.thresholds == {}
    allowed = thresholds(capsys, package, sample_images, *LOOSE, "--allow-seen")
    assert allowed["images"]["in_training"] == trained_on
    assert any("the promise is void" in note for note in allowed["notes"])
    for more in (("--unseen",), ("--split", "validation")):
        found = thresholds(capsys, package, sample_images, *LOOSE, *more)
        assert (found["images"]["used"], found["images"]["in_training"]) == (100 - trained_on, 0)


def test_thresholds_reach_the_card_and_task_files_and_leave_the_model_version(
    package: Path, fresh_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_package(package)
    found = thresholds(capsys, package, fresh_images, *LOOSE, "--write")
    after = read_package(package)
    assert found["written"]
    assert found["thresholds"]
    assert after.version == before.version == found["model_version"]
    assert after.card.thresholds == found["thresholds"]
    record = after.card.threshold_record
    assert (record["on"], record["max_error"], record["images"]) == ("logit", 0.4, 100)
    assert record["chosen"] == found["chosen"]
    as_before = {"thresholds": {}, "threshold_record": {}, "files": before.card.files}
    assert after.card.model_copy(update=as_before) == before.card
    changed = {name for name, digest in after.card.files.items() if before.card.files[name] != digest}
    assert changed == {"README.md"}
    label, threshold = next(iter(found["thresholds"].items()))
    task = f'name = "kind"\n[models.main]\npackage = "{package}"\n[[rules]]\nname = "sure"\ntag = "x"\n'
    (tmp_path / "kind.toml").write_text(task + f'when = "logit >= ${{threshold.{label}}}"\n')
    assert rule_conditions(read_task(str(tmp_path / "kind.toml"), tmp_path)) == [("sure", f"logit >= {threshold!r}")]


def test_the_readme_of_the_package_shows_the_thresholds_that_were_written_last(
    package: Path, fresh_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = (package / "README.md").read_text()
    thresholds(capsys, package, fresh_images, *LOOSE, "--write", "--on", "probability")
    found = thresholds(capsys, package, fresh_images, *LOOSE, "--write")
    text = (package / "README.md").read_text()
    for label, point in found["chosen"].items():
        share = f"{100 * point['coverage']:.1f} %"
        assert f"| {label} | {point['threshold']:.4g} | {share} | {point['wrong']} | {point['images']} |" in text
    for label, reason in found["unmet"].items():
        assert f"- {label}: no threshold, {reason}" in text
    assert text.count("## Thresholds") == 1
    assert "score at least this logit for their label, a share of 0.4 or less is wrong" in text
    start, end = text.index("## Thresholds"), text.index("## Use")
    assert text[:start] + text[end:] == plain


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_kill_while_thresholds_are_written_leaves_a_package(
    package: Path, fresh_images: Path, capsys: pytest.CaptureFixture[str], survived: int
) -> None:
    before = read_package(package)
    replaced: list[str] = []
    honest = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if len(replaced) == survived:
            raise KeyboardInterrupt
        replaced.append(Path(target).name)
        return honest(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        assert main(["thresholds", str(package), str(fresh_images), *LOOSE, "--write"]) == 130
    assert replaced == ["card.json", "README.md"][:survived]
    after = read_package(package)
    assert after.version == before.version
    assert bool(after.card.thresholds) == (survived > 0)
    found = thresholds(capsys, package, fresh_images, *LOOSE, "--write")
    whole = read_package(package).card
    assert whole.thresholds == found["thresholds"]
    assert sorted(whole.files) == sorted(before.card.files)
    assert (package / "README.md").read_text().count("## Thresholds") == 1


def test_what_is_promised_holds_on_the_images_that_it_was_chosen_on(
    package: Path, fresh_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_logit = thresholds(capsys, package, fresh_images, *LOOSE)
    by_probability = thresholds(capsys, package, fresh_images, *LOOSE, "--on", "probability")
    assert by_logit["sweeps"] == by_probability["sweeps"]
    assert all(0 < threshold < 1 for threshold in by_probability["thresholds"].values())
    for found in (by_logit, by_probability):
        assert found["thresholds"].keys() | found["unmet"].keys() == set(read_package(package).card.labels)
        for point in found["chosen"].values():
            assert point["error"] <= point["bound"] <= 0.4


def test_a_label_that_cannot_keep_the_promise_says_why_and_nothing_is_written(
    package: Path, fresh_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = (package / "card.json").read_bytes()
    found = thresholds(capsys, package, fresh_images, "--max-error", "0.01", "--write")
    assert (found["thresholds"], found["written"]) == ({}, False)
    assert all(re.match(r"only \d+ images .* at least 299, all right", why) for why in found["unmet"].values())
    assert (package / "card.json").read_bytes() == card


def test_copies_of_an_image_count_once(
    package: Path, fresh_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    for label in ("map", "photo"):
        for file in sorted((fresh_images / label).iterdir())[:5]:
            for number in range(3):
                (data / label).mkdir(parents=True, exist_ok=True)
                shutil.copy(file, data / label / f"{number}_{file.name}")
    found = thresholds(capsys, package, data, *LOOSE)
    assert (found["images"]["used"], found["images"]["copies"]) == (10, 20)
    assert sum(row["given"] for row in found["sweeps"]["logit"]) == 10


def test_a_card_without_a_record_is_read(package: Path) -> None:
    card = json.loads((package / "card.json").read_text("utf-8"))
    del card["threshold_record"]
    (package / "card.json").write_text(json.dumps(card))
    assert read_package(package).card.threshold_record == {}


def test_the_report_shows_both_scales(
    package: Path, fresh_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    found = thresholds(capsys, package, fresh_images, *LOOSE, "--out", out)
    page = (out / "index.html").read_text("utf-8")
    assert json.loads((out / "thresholds.json").read_text("utf-8")) == found
    assert sorted(path.name for path in out.iterdir()) == [
        *("index.html", "logit.png", "probability.png", "thresholds.json")
    ]
    for label, threshold in found["thresholds"].items():
        assert f'{label}</td><td class="chosen">{threshold:g}<' in page
    for label, reason in found["unmet"].items():
        assert f"<b>{label}</b>: {reason}" in page


def test_a_label_that_keeps_no_promise_shows_its_bound_and_its_plain_precision_marked_so(
    package: Path, fresh_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    found = thresholds(capsys, package, fresh_images, "--max-error", "0.01", "--out", out)
    page = read_html((out / "index.html").read_text("utf-8"))
    assert found["thresholds"] == {}
    row = next(one for one in found["sweeps"]["logit"] if one["points"])
    bounds = [point["bound"] for point in row["points"]]
    assert row["nearest"]["bound"] == min(bounds)
    cells = [[cell.text for cell in line.all("td")] for line in page.one("table").all("tr")]
    assert [row["label"], "none", f"{100 * min(bounds):.1f} %"] in [line[:2] + line[-1:] for line in cells if line]
    details = next(
        one for one in page.all("details") if one.one("summary").text.startswith(f"precision of {row['label']}")
    )
    assert details.one("summary").text.endswith("here, no promise")
    lines = [[cell.text for cell in line.all("td")] for line in details.all("tr")][1:]
    last = row["points"][-1]
    assert lines[-1][2:5] == [str(last["images"]), str(last["wrong"]), f"{100 * (1 - last['error']):.1f} %"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "--max-error"),
        (["--max-error", "0"], "--max-error: wanted a share above 0 and below 1, such as 0.05. Received: 0"),
        (["--max-error", "5"], "--max-error: wanted a share above 0 and below 1, such as 0.05. Received: 5"),
        (["--max-error", "0.1", "--confidence-level", "1"], "--confidence-level: wanted a share above 0 and below 1"),
        (["--max-error", "0.1", "--on", "score"], "invalid choice: 'score'"),
    ],
)
def test_a_mistake_is_one_line(
    package: Path, fresh_images: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert message in refused(capsys, package, fresh_images, *more)
