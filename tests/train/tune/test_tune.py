"""`python -m train tune`: a search that can be killed, repeats nothing, and says honestly what it found."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from threading import Event, Thread
from typing import Any

import optuna
import pytest

from eoltag.errors import SettingsError
from tests.support.paths import ROOT
from tests.support.pictures import picture
from train.__main__ import main
from train.settings import read_fit_settings
from train.tune.space import read_search
from train.tune.study import NAME, STUDY_FILE

SPACE = """
startup_trials = 3
pruner = "off"
[base]
image_size_px = 16
first_filters = 2
epochs = 2
batch_size = 8
learning_rate = 1e-3
seed = 4
[space.learning_rate]
low = 1e-4
high = 1e-1
log = true
[space.optimizer]
choices = ["adam", "sgd"]
[space.momentum]
low = 0.1
high = 0.9
when = { optimizer = "sgd" }
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of ten pictures, one darker than the other."""
    return two_classes(tmp_path_factory.mktemp("pictures"))


def two_classes(folder: Path, first: int = 0) -> Path:
    """Pictures from that number on."""
    for at, label in enumerate(("dark", "light")):
        (folder / label).mkdir(parents=True)
        for number in range(10):
            image = picture(first + 100 * at + number).point(lambda value, floor=120 * at: floor + value // 2)
            image.save(folder / label / f"{number}.png")
    return folder


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """Three settings of a very small network."""
    (tmp_path / "space.toml").write_text(SPACE)
    return tmp_path / "space.toml"


def tune(space: Path, pictures: Path, out: Path, *more: str) -> int:
    """`python -m train tune ...`."""
    return main(["tune", str(space), "--data", str(pictures), "--out", str(out), *more])


def trials(out: Path) -> list[dict[str, str]]:
    """The lines of trials.csv, without what depends on the clock."""
    with (out / "trials.csv").open() as stream:
        return [{**line, "seconds": ""} for line in csv.DictReader(stream)]


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the user gets to see."""
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: ")
    return said[-1]


# --- a search


@pytest.fixture(scope="module")
def unbroken(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search of four trials."""
    root = tmp_path_factory.mktemp("unbroken")
    (root / "space.toml").write_text(SPACE)
    assert tune(root / "space.toml", pictures, root / "out", "--trials", "4") == 0
    return root / "out"


def test_trial_0_is_the_base_and_the_others_are_in_the_space(unbroken: Path) -> None:
    rows = trials(unbroken)
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert (rows[0]["learning_rate"], rows[0]["optimizer"], rows[0]["note"]) == ("0.001", "adam", "the base")
    assert len({row["learning_rate"] for row in rows}) == 4
    for row in rows[1:]:
        assert 1e-4 <= float(row["learning_rate"]) <= 1e-1
        assert row["optimizer"] == "sgd" or row["momentum"] == "0.9"
    assert {row["state"] for row in rows} == {"complete"}


def test_the_best_trial_is_a_config_that_fit_takes_as_it_is(unbroken: Path, pictures: Path, tmp_path: Path) -> None:
    summary = json.loads((unbroken / "tune.json").read_text())
    rows = trials(unbroken)
    best = max(rows, key=lambda row: (float(row["val_accuracy"]), -float(row["val_loss"])))
    assert str(summary["best"]["trial"]) == best["trial"]
    settings = read_fit_settings(unbroken / "best.toml")
    assert settings.learning_rate == float(best["learning_rate"])
    assert (settings.optimizer, settings.seed, settings.image_size_px) == (best["optimizer"], 4, 16)
    assert main(["fit", str(unbroken / "best.toml"), "--data", str(pictures), "--out", str(tmp_path / "fit")]) == 0
    with (tmp_path / "fit/001/history.csv").open() as stream:
        lowest = min(csv.DictReader(stream), key=lambda row: float(row["val_loss"]))
    assert float(lowest["val_loss"]) == float(best["val_loss"])


def test_the_report_shows_plots_and_says_whether_the_base_was_beaten(unbroken: Path) -> None:
    summary = json.loads((unbroken / "tune.json").read_text())
    page = (unbroken / "index.html").read_text()
    assert summary["verdict"]["text"] in page.replace("&#39;", "'")
    assert page.count("data:image/png;base64,") == 2 + bool(summary["importances"])
    for name in ("convergence.png", "slices.png"):
        assert (unbroken / name).read_bytes().startswith(b"\x89PNG")
    gain = summary["best"]["val_accuracy"] - summary["base"]["val_accuracy"]
    assert summary["verdict"].get("difference", 0.0) == pytest.approx(gain)


def test_several_labels_an_image_are_searched_too(pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures, tmp_path / "data")
    (tmp_path / "data/even").mkdir()
    for number in range(0, 10, 2):
        for label in ("dark", "light"):
            shutil.copyfile(pictures / label / f"{number}.png", tmp_path / "data/even" / f"{label}_{number}.png")
    (tmp_path / "space.toml").write_text(SPACE.replace("[base]", '[base]\noutput = "labels"\nrefit = true'))
    assert tune(tmp_path / "space.toml", tmp_path / "data", tmp_path / "out", "--trials", "2") == 0
    summary = json.loads((tmp_path / "out/tune.json").read_text())
    assert summary["trials"] == {"complete": 2}
    assert summary["images_to_validate"] == 4  # each content once
    settings = read_fit_settings(tmp_path / "out/best.toml")
    assert (settings.output, settings.refit) == ("labels", True)
    answers = 3 * summary["images_to_validate"]
    assert summary["best"]["val_accuracy"] * answers == pytest.approx(round(summary["best"]["val_accuracy"] * answers))


# --- going on


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial whose process was killed is known to be dead after 2 s."""
    monkeypatch.setattr("train.tune.study.GRACE_S", 2)


@pytest.mark.slow
@pytest.mark.usefixtures("short_grace")
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(
    unbroken: Path, space: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    killed_in_trial(2, space, pictures, out)
    before = {row["trial"]: row for row in trials(out)}
    assert list(before) == ["0", "1"]
    assert tune(space, pictures, out, "--trials", "3") == 0
    assert [row["trial"] for row in trials(out)] == ["0", "1", "3"]
    assert tune(space, pictures, out, "--trials", "4") == 0  # more are added to those that are there
    said = capsys.readouterr().err
    assert "trial 2 was cut off; it is tried once more" in said
    assert "trial 0: " not in said
    assert "trial 1: " not in said
    rows = trials(out)
    assert [row["trial"] for row in rows] == ["0", "1", "3", "4"]
    assert rows[2]["note"] == "tried again after trial 2 was cut off"
    same = [{**row, "trial": "", "note": ""} for row in rows]
    assert same == [{**row, "trial": "", "note": ""} for row in trials(unbroken)]


def killed_in_trial(number: int, space: Path, pictures: Path, out: Path) -> None:
    """kill -9 while that trial trains: it has named its settings, and would go on for a long time."""
    command = [sys.executable, "-c", KILLED, str(number), "tune", str(space)]
    command += ["--data", str(pictures), "--out", str(out), "--trials", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


KILLED = """
import os, signal, sys
from train.tune import trial as tuning_trial
from train.__main__ import main
number, called = int(sys.argv.pop(1)), tuning_trial.PruningCallback.__call__

def killing(self, epoch):
    if self.trial.number == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return called(self, epoch)

tuning_trial.PruningCallback.__call__ = killing
main(sys.argv[1:])
"""


def test_what_is_cut_off_twice_is_a_failure_and_the_search_goes_on(
    space: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train.tune import trial as tuning_trial

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(tuning_trial.PruningCallback, "__call__", interrupted)
        for _ in range(2):
            assert tune(space, pictures, out, "--trials", "2") == 130
    assert tune(space, pictures, out, "--trials", "2") == 0
    states = [(row["trial"], row["state"], row["note"]) for row in trials(out)]
    assert states[0][:2] == ("1", "failed")
    assert "cut off: the process was killed" in states[0][2]
    assert states[1][:2] == ("2", "complete")
    assert json.loads((out / "tune.json").read_text())["verdict"]["is_better"] is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set", "epochs=3"], "was begun with base.epochs = 2, and goes on only with that. Received: 3"),
        (["--seed", "5"], "was begun with base.seed = 4, and goes on only with that. Received: 5"),
    ],
)
def test_a_search_goes_on_only_as_it_was_begun(
    unbroken: Path, space: Path, pictures: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert tune(space, pictures, unbroken, *more) == 2
    assert message in refused(capsys)


def test_another_space_or_other_images_are_refused_by_name(
    unbroken: Path, space: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space.write_text(SPACE.replace("high = 1e-1", "high = 1e-2"))
    assert tune(space, pictures, unbroken) == 2
    assert "begun with space.learning_rate.high = 0.1, and goes on only with that. Received: 0.01" in refused(capsys)
    space.write_text(SPACE)
    assert tune(space, two_classes(tmp_path / "other", first=50), unbroken) == 2
    assert "begun with images = " in refused(capsys)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    assert tune(space, pictures, tmp_path / "full") == 2
    assert "holds other files (notes.txt) and no study.db; wanted a new folder" in refused(capsys)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / STUDY_FILE).write_text("trials " * 1000)
    assert tune(space, pictures, tmp_path / "broken") == 2
    assert "study.db: wanted the database of a search (file is not a database)" in refused(capsys)


@pytest.mark.usefixtures("short_grace")
def test_two_searches_never_share_a_folder(
    space: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert tune(space, pictures, out, "--trials", "1") == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.RDBStorage(f"sqlite:///{out / STUDY_FILE}", heartbeat_interval=1)
    study = optuna.load_study(study_name=NAME, storage=storage)
    begun, may_end = Event(), Event()

    def alive(_: optuna.Trial) -> float:
        begun.set()
        return float(may_end.wait(60))

    other = Thread(target=study.optimize, args=(alive, 1))
    other.start()
    assert begun.wait(60)
    try:
        assert tune(space, pictures, out) == 2
        assert "another tune is at work there" in refused(capsys)
    finally:
        may_end.set()
        other.join()
        storage.engine.dispose()


# --- trials that end otherwise


def test_a_failing_trial_is_a_row_with_its_reason(
    space: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train.fit import loop as learning

    honest = learning._validate

    def without_memory(run: Any, part: Any) -> Any:
        if run.settings.learning_rate != 1e-3:
            raise MemoryError
        return honest(run, part)

    monkeypatch.setattr(learning, "_validate", without_memory)
    assert tune(space, pictures, tmp_path / "out", "--trials", "2") == 0
    rows = trials(tmp_path / "out")
    assert [row["state"] for row in rows] == ["complete", "failed"]
    assert rows[1]["note"] == "MemoryError: no memory left"
    assert "None of 2 trials beat the base" in (tmp_path / "out" / "index.html").read_text()


def test_a_search_in_which_nothing_was_completed_says_why(
    space: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ("--set", "min_accuracy=0.99", "--set", "learning_rate=1e-4", "--set", "epochs=1")
    assert tune(space, pictures, tmp_path / "out", "--trials", "1", *changes) == 2
    assert "no trial was completed (validation accuracy: wanted min_accuracy 0.99 or more" in refused(capsys)
    assert tune(space, pictures, tmp_path / "late", "--timeout", "0") == 2
    assert "no trial was completed (there was no time for one)" in refused(capsys)


def test_a_trial_that_falls_behind_is_ended_early(space: Path, pictures: Path, tmp_path: Path) -> None:
    text = SPACE.replace('pruner = "off"', "pruner_startup_trials = 1\npruner_warmup_epochs = 1\nmetric = 'val_loss'")
    text = text.replace("epochs = 2", "epochs = 6").replace("low = 1e-4\nhigh = 1e-1", "low = 1e-9\nhigh = 1e-2")
    space.write_text(text)
    assert tune(space, pictures, tmp_path / "out", "--trials", "3", "--set", "learning_rate=1e-2") == 0
    rows = trials(tmp_path / "out")
    assert (rows[0]["state"], rows[0]["epochs"]) == ("complete", "6")
    assert [row["state"] for row in rows].count("pruned") >= 1
    for row in rows:
        assert (row["state"] == "pruned") == (int(row["epochs"]) < 6)
        assert float(row["val_loss"]) >= float(rows[0]["val_loss"])


def test_settings_that_were_tried_are_not_trained_again(space: Path, pictures: Path, tmp_path: Path) -> None:
    head, _, _ = SPACE.partition("[space.learning_rate]")
    space.write_text(head + "[space.optimizer]\nchoices = ['adam', 'sgd']\n")
    assert tune(space, pictures, tmp_path / "out", "--trials", "4") == 0
    rows = trials(tmp_path / "out")
    first = {}
    for row in rows:
        earlier = first.setdefault(row["optimizer"], row)
        if earlier is not row:
            assert row["note"] == f"the same settings as trial {earlier['trial']}, not trained again"
            assert row["val_loss"] == earlier["val_loss"]
    assert len(first) == 2


def test_the_best_and_the_base_are_trained_anew_with_fresh_seeds(
    space: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = (
        "--trials",
        "2",
        "--confirm",
        "1",
        "--set",
        "learning_rate=1e-4",
        "--set",
        "optimizer=sgd",
        "--set",
        "momentum=0.1",
        "--json",
    )
    assert tune(space, pictures, tmp_path / "out", *more) == 0
    (first,) = json.loads(capsys.readouterr().out)["confirmed"]
    assert tune(space, pictures, tmp_path / "out", *more) == 0  # from the study: the seconds are the same
    summary = json.loads(capsys.readouterr().out)
    assert summary["confirmed"] == [first]
    assert (first["seed"], summary["best"]["trial"]) == (5, 1)
    assert first["base"]["val_loss"] != summary["base"]["val_loss"]
    gain = first["best"]["val_accuracy"] - first["base"]["val_accuracy"]
    assert summary["verdict"]["difference"] == pytest.approx(gain)
    assert summary["verdict"]["text"].endswith("; one seed does not tell how much is chance.")


@pytest.mark.parametrize(
    ("gains", "is_better", "said"),
    [
        # Student's t at 95 % with two degrees of freedom is 4.303.
        (
            [0.02, 0.03, 0.04],
            True,
            "+3.0 points of accuracy over the base (95 % interval +0.5 points to +5.5 points): the",
        ),
        ([-0.02, 0.03, 0.08], False, "the difference is within chance, the base may be as good"),
        ([-0.02, -0.03, -0.04], False, "they are worse: keep the base"),
    ],
)
def test_only_an_interval_above_zero_is_called_a_gain(gains: list[float], is_better: bool, said: str) -> None:
    from train.tune.confirm import by_fresh_seeds

    pairs = [{"base": {"val_accuracy": 0.9}, "best": {"val_accuracy": 0.9 + gain}} for gain in gains]
    found = by_fresh_seeds(pairs, 3, "val_accuracy")
    assert (found["is_better"], found["difference"]) == (is_better, pytest.approx(sum(gains) / 3))
    assert said in found["text"]
    losses = [{"base": {"val_loss": 0.5}, "best": {"val_loss": 0.5 - gain}} for gain in gains]
    of_loss = by_fresh_seeds(losses, 3, "val_loss")
    assert (of_loss["is_better"], of_loss["interval"]) == (is_better, pytest.approx(found["interval"]))
    assert f"{sum(gains) / 3:+.3f} of loss under the base" in of_loss["text"]


# --- spaces


@pytest.mark.parametrize("path", sorted((ROOT / "conf/train").glob("tune_*.toml")), ids=lambda path: path.stem)
def test_every_space_that_ships_can_be_searched(path: Path) -> None:
    search = read_search(path)
    settings = search.start_settings()
    for key in search.base.model_fields_set:
        assert getattr(settings, key) == getattr(search.base, key)
    lines = path.read_text().splitlines()
    assert any(line.startswith(f"#   python -m train tune conf/train/{path.name} ") for line in lines)
    assert any(line.startswith("# Expect: ") for line in lines)


def test_decathlons_space_is_the_published_one() -> None:
    search = read_search(ROOT / "conf/train/tune_decathlon.toml")
    found = {
        parameter.name: parameter.choices or (parameter.low, parameter.high, parameter.is_log)
        for entries in search.dimensions.values()
        for entry in entries
        for parameter in entry.parameters
    }
    assert found == {
        "epochs": (1, 10, False), "head_units.layers": (1, 3, False), "head_units.width": (6, 2048, False),
        "learning_rate": (1e-6, 1e-2, True), "dropout": (0, 0.9, False), "head_activation": ("relu", "tanh"),
        "class_weights": ("off", "balanced"), "fine_tune_from": ("", "mixed9"),
    }  # fmt: skip
    tried = {**search.starts[0], "epochs": 7, "head_units.layers": 2, "head_units.width": 6, "learning_rate": 1e-3}
    settings = search.compose(lambda parameter: tried[parameter.name])
    assert (settings.head_units, settings.fine_tune_epochs) == ((6, 6), 7)
    assert settings.fine_tune_learning_rate == pytest.approx(1e-4)
    settings = search.compose(lambda parameter: {**tried, "fine_tune_from": ""}[parameter.name])
    assert (settings.fine_tune_from, settings.fine_tune_epochs) == ("", 0)


def test_the_example_in_the_manual_means_what_it_says(space: Path) -> None:
    (example,) = re.findall(
        r"^```toml\n(.*?)^```", (ROOT / "docs/how-to/tune.md").read_text(), re.MULTILINE | re.DOTALL
    )
    space.write_text("[space.architecture]\nchoices = ['mobilenet', 'xception', 'scratch']\n" + example)
    with pytest.raises(SettingsError, match="head_units: architecture 'scratch' has no base"):
        read_search(space)
    space.write_text(
        "base.architecture = 'mobilenet'\n[space.architecture]\nchoices = ['mobilenet', 'xception']\n" + example
    )
    search = read_search(space)
    picked = {"architecture": "xception", "optimizer": "adam", "head_units.layers": 0, "fine_tune_from#2": "block13"}
    settings = search.compose(lambda parameter: picked[parameter.name])
    assert (settings.fine_tune_from, settings.fine_tune_epochs, settings.head_units) == ("block13", 18, ())
    picked = {**picked, "architecture": "mobilenet", "fine_tune_from": "", "optimizer": "sgd", "momentum": 0.6}
    settings = search.compose(lambda parameter: picked[parameter.name])
    assert (settings.fine_tune_from, settings.fine_tune_epochs, settings.momentum) == ("", 0, 0.6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("[space.learning_rat]\nlow = 1", "space.learning_rat: unknown key; known here: alpha, architecture, "),
        ("[space.seed]\nlow = 1\nhigh = 2", "space.seed: cannot be searched: all trials must be compared on one split"),
        ("[space.dropout]\nlow = 0.0\nhigh = 1.5", "space.dropout: key 'dropout': Input should be less than 1"),
        ("[space.dropout]\nlow = 0.5\nhigh = 0.1", "space.dropout: wanted low below high. Received: 0.5 and 0.1"),
        ("[space.dropout]\nlow = 0.0\nhigh = 0.5\nlog = true", "space.dropout: log: wanted low above 0"),
        ("[space.dropout]\nlow = 0.3", "space.dropout: wanted low and high, choices, value or of. Received: low"),
        ("[space.dropout]\nfrom = 0.3", "space.dropout: unknown key 'from'; known here: choices, high, "),
        (
            "[space.schedule]\nchoices = ['cosine', 'step']",
            "space.schedule: key 'schedule': Input should be 'constant'",
        ),
        ("[space.schedule]\nlow = 1\nhigh = 2", "low and high are for numbers, which schedule is not; wanted choices"),
        ("[space.epochs]\nlow = 1.5\nhigh = 2", "space.epochs: key 'epochs': Input should be a valid integer"),
        ("[space.batch_size]\nlow = 9\nhigh = 16", "base: batch_size: wanted 9 to 16, as space.batch_size has it"),
        (
            "[space.batch_size]\nchoices = [4, 16]",
            "base: batch_size: wanted one of space.batch_size: 4, 16. Received: 8",
        ),
        (
            "[space.alpha]\nlow = 0.5\nhigh = 1.0",
            "space: alpha: architecture 'scratch' has no base and a head of its own",
        ),
        ("[space.epochs]\nof = 'batch_sizes'", "space.epochs: depends on 'batch_sizes', which is no setting of fit"),
        ("[space.l2]\nvalue = 0.1\nwhen = { schedule = 'x' }", "space.l2.when: key 'schedule': Input should be 'const"),
        (
            "[space.epochs]\nof = 'batch_size'\n[space.batch_size]\nchoices = [8]",
            "space.epochs: depends on 'batch_size'; put [space.batch_size] above it",
        ),
        ("[spaces.epochs]\nlow = 1", "unknown key 'spaces'; known here: base, metric, "),
    ],
)
def test_a_space_that_makes_no_sense_is_refused_before_the_first_trial(space: Path, change: str, message: str) -> None:
    space.write_text(SPACE + change)
    with pytest.raises(SettingsError) as caught:
        read_search(space)
    assert str(caught.value).startswith(f"{space}: ")
    assert message in str(caught.value)


def test_a_file_without_a_space_or_with_a_base_outside_it_is_refused(
    space: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune(space, pictures, tmp_path / "out", "--set", "learning_rate=0.5") == 2
    assert "base with --set learning_rate=0.5: learning_rate: wanted 0.0001 to 0.1" in refused(capsys)
    assert tune(space, pictures, tmp_path / "out", "--trials", "0") == 2
    assert "--trials: wanted 1 or more" in refused(capsys)
    space.write_text("[base]\nepochs = 2\n[space]\n")
    assert tune(space, pictures, tmp_path / "out") == 2
    assert "space: wanted a table for each setting to search. Received: none" in refused(capsys)
    assert not (tmp_path / "out").exists()
