"""A path to attempts means the chosen one: how the choice is read, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest

from eoltag.errors import PackageError
from eoltag.model.attempts import Choice, read_choice, write_choice
from eoltag.model.package import read_package
from tests.support.tiny_package import write_tiny_package
from train.__main__ import main
from train.fit.attempts import find_package


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three attempts, the second not finished."""
    for number in (1, 3):
        package = write_tiny_package(tmp_path / f"{number:03d}/package", ("bad", "good"), seed=number)
        accuracy = {1: 0.75, 3: 0.5}[number]
        content = json.loads((package.path / "card.json").read_text())
        content["metrics"] = {"val_accuracy": accuracy, "val_loss": 1.0}
        (package.path / "card.json").write_text(json.dumps(content))
    (tmp_path / "002").mkdir()
    return tmp_path


def test_the_choice_is_a_small_file_that_a_person_can_read_and_write(folder: Path) -> None:
    (folder / "chosen.json").write_text('{"attempt": "003", "by": "hand"}')
    assert read_package(folder).path == folder / "003/package"
    assert read_package(folder / "001").path == folder / "001/package"


def test_one_finished_attempt_needs_no_choice(folder: Path) -> None:
    shutil.rmtree(folder / "003")
    assert read_package(folder).path == folder / "001/package"


def test_two_attempts_without_a_choice_are_refused_with_the_command_that_chooses(folder: Path) -> None:
    with pytest.raises(PackageError, match=r"holds the attempts 001, 003 and no chosen\.json; choose with .* best"):
        read_package(folder)


def test_best_is_the_best_by_validation_and_a_name_is_the_choice_of_a_person(folder: Path) -> None:
    assert main(["fit", "--out", str(folder), "--choose", "best"]) == 0
    choice = read_choice(folder)
    assert choice == Choice(attempt="001", by="validation", val_accuracy={"001": 0.75, "003": 0.5})
    assert main(["fit", "--out", str(folder), "--choose", "3"]) == 0
    assert (read_choice(folder) or choice).attempt == "003"
    assert read_package(folder).path == folder / "003/package"


def test_the_verbs_say_which_attempt_they_take(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_choice(folder, Choice(attempt="003", by="hand"))
    version = find_package(folder).version
    assert capsys.readouterr().err == f"{folder}: taking {folder}/003/package, model version {version}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"attempt": "002", "by": "hand"}', "chooses attempt '002', which is not there or not finished"),
        ('{"attempt": "../elsewhere", "by": "hand"}', "finished: 001, 003"),
        ('{"attempt": "001"}', "by"),
        ('"001"', "wanted a table with the key attempt"),
        ("{", "cannot be read"),
    ],
)
def test_a_choice_that_cannot_be_followed_is_told(folder: Path, text: str, said: str) -> None:
    (folder / "chosen.json").write_text(text)
    with pytest.raises(PackageError, match=r"chosen\.json") as refused:
        read_package(folder)
    assert said in str(refused.value)


def test_a_name_that_is_no_attempt_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--out", str(folder), "--choose", "2"]) == 2
    assert "--choose: wanted best or one of 001, 003. Received: '2'" in capsys.readouterr().err
    assert not (folder / "chosen.json").exists()
