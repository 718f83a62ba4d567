"""Which package each model of a task takes, and what is said where there is none."""

import shutil
from pathlib import Path

import pytest

from eoltag.decide.task import read_task, read_tasks
from eoltag.errors import PackageError, TaskError
from eoltag.model.attempts import Choice, write_choice
from jobs import decide_tags, tag_bundles
from tests.support.paths import ROOT
from tests.support.tiny_package import write_tiny_package

FLOWERS = ("Flower", "Fruit", "Null")


def test_a_missing_package_is_told_with_the_commands_that_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PackageError) as refused:
        read_task("rating", ROOT)
    told = str(refused.value)
    assert "the model package models/rating_18 is not there" in told
    assert "python -m train fit conf/train/rating_18.toml --data PHOTOS --out models/rating_18" in told
    assert "python -m train import MODEL" in told
    assert "--model rating=PATH" in told


def test_every_task_that_ships_names_a_recipe_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")  # where no model lies beside it, as after `make demo`
    for path in ROOT.glob("conf/tasks/*.toml"):
        with pytest.raises(PackageError, match=r"train fit conf/train/(?!NAME)\w+\.toml|conf/train/NAME") as refused:
            read_task(path.stem, tmp_path)
        assert path.stem in ("demo", "phenovision") or "NAME.toml" not in str(refused.value)


def test_another_package_takes_the_place_of_the_one_in_the_task_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny_package(tmp_path / "mine", ("bad", "good"), seed=1)
    (task,) = read_tasks(["rating"], ROOT, ["rating=mine"])
    assert task.packages["main"].path == Path("mine")
    assert task.taken == [f"task rating: main is mine, model version {task.packages['main'].version}"]


def test_one_of_several_models_is_named_behind_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (7, 11):
        write_tiny_package(tmp_path / f"models/flower_fruit_{number:02d}", FLOWERS, seed=number)
    write_tiny_package(tmp_path / "mine", FLOWERS, seed=3)
    (task,) = read_tasks(["flower_fruit"], ROOT, ["flower_fruit.tag11=mine"])
    assert [str(package.path) for package in task.packages.values()] == ["models/flower_fruit_07", "mine"]


def test_a_task_names_a_folder_of_attempts_and_takes_the_chosen_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        write_tiny_package(tmp_path / f"models/rating_18/{number:03d}/package", ("bad", "good"), seed=number)
    write_choice(tmp_path / "models/rating_18", Choice(attempt="001", by="hand"))
    task = read_task("rating", ROOT)
    assert task.packages["main"].path == Path("models/rating_18/001/package")
    assert task.taken == [
        f"task rating: main is models/rating_18/001/package, model version {task.packages['main'].version}"
    ]


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (["mine"], "--model: wanted TASK=PATH or TASK.MODEL=PATH. Received: 'mine'"),
        (["flower=mine"], "--model: no task 'flower' is run; running: flower_fruit"),
        (["flower_fruit=mine"], "the task has several models; wanted one of flower_fruit.tag7, flower_fruit.tag11"),
        (["flower_fruit.tag8=mine"], "the task has no such model; known: tag7, tag11"),
    ],
)
def test_a_model_for_no_model_is_refused(
    models: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (7, 11):
        write_tiny_package(tmp_path / f"models/flower_fruit_{number:02d}", FLOWERS, seed=number)
    with pytest.raises(TaskError) as refused:
        read_tasks(["flower_fruit"], ROOT, models)
    assert said in str(refused.value)


def test_the_jobs_take_models_on_their_command_lines() -> None:
    words = ["--task", "rating", "--output", "out", "--model", "rating=mine", "--model", "a=b", "c.d=e"]
    tag = tag_bundles.parser().parse_args(["--bundle", "list.txt", *words])
    assert tag.model == decide_tags.parser().parse_args(words).model == ["rating=mine", "a=b", "c.d=e"]
