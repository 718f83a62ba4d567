"""The pages for people who come from other toolkits: every row has its command, and every command is one that works."""

import shlex
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from tests.docs.test_readme import JOBS, job
from tests.support.paths import ROOT
from tests.support.readme import PAGES, commands_of, page, section, spans, tables
from train import __main__ as train
from train.evaluate.label_map import read_label_map
from train.settings import read_fit_settings
from train.tune.space import read_search

NAMES: Final = sorted(name for name in PAGES if name.startswith("docs/coming-from-"))
ROWS: Final = [(name, row) for name in NAMES for rows in tables(PAGES[name]) for row in rows]
COMMANDS: Final = sorted({command for name in NAMES for command in commands_of(PAGES[name])})


def parsed(command: str) -> Any:
    """What the program's own parser makes of a command; it exits where it refuses."""
    words = shlex.split(command)
    if words[0] == "./spark-submit.sh":
        return job(JOBS[words[1]]).parser().parse_args(words[2:])
    assert words[:3] == ["python", "-m", "train"]
    return train.parser().parse_args(words[3:])


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name[17:]}: {row[0][:40]}" for name, row in ROWS])
def test_every_row_has_a_command(name: str, row: list[str]) -> None:
    assert name in PAGES
    assert [span for span in spans(row[1]) if span in COMMANDS], row[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_its_program_takes_and_its_files_are_there(command: str) -> None:
    assert "..." not in command
    options = parsed(command)
    for word in shlex.split(command):
        if word.startswith(("conf/", "jobs/")):
            assert (ROOT / word).is_file(), word
    for name in getattr(options, "task", None) or ():
        if "jobs/" in command:
            assert (ROOT / f"conf/tasks/{name}.toml").is_file(), name


@pytest.mark.parametrize("command", [command for command in COMMANDS if " fit " in command])
def test_settings_that_are_changed_are_settings(command: str, tmp_path: Path) -> None:
    options = parsed(command)
    config = ROOT / options.config
    if not config.is_file():  # what a person has of decathlon's, and what a search wrote
        assert options.config.parts[0] in ("mine", "tuned")
        config = tmp_path / "decathlon.toml"
        config.write_text('architecture = "inception_v3"\nfine_tune_epochs = 5\nfine_tune_from = "mixed9"\n')
    read_fit_settings(config, options.set)


@pytest.mark.parametrize("command", [command for command in COMMANDS if " tune " in command])
def test_searches_that_are_named_are_searches(command: str) -> None:
    assert read_search(ROOT / parsed(command).space)


def test_five_ratings_are_counted_as_bad_and_good() -> None:
    (command,) = [command for command in COMMANDS if "--map" in command]
    found = read_label_map(parsed(command).map, ["1", "2", "3", "4", "5"])
    assert found is not None
    assert found.labels == ("bad", "good")


def test_a_recipe_writes_to_where_its_task_looks() -> None:
    written = {str(parsed(command).out) for command in COMMANDS if " fit conf/" in command and "--set" not in command}
    for name in ("rating", "image_type", "flower_fruit", "flowers"):
        task = tomllib.loads((ROOT / f"conf/tasks/{name}.toml").read_text())
        assert {model["package"] for model in task["models"].values()} <= written, name


def test_how_to_get_a_model_for_rating_has_a_heading_with_the_commands() -> None:
    text = section("How do I get a model for rating?", page("coming-from-eol.md"))
    verbs = [shlex.split(command)[3] for command in commands_of(text) if command.startswith("python")]
    assert sorted(verbs) == ["fit", "import", "prepare"]
    assert any("--model rating=" in command for command in commands_of(text))


def test_what_is_not_done_is_named() -> None:
    text = section("Not done", page("coming-from-eol.md"))
    for word in ("Object detection tags", "human present", "life stages", "pollinators", "Crops"):
        assert word in text
    for name in NAMES:
        assert section("Not done", PAGES[name]).strip()
