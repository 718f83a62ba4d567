"""README.md and docs/ are true: what they name exists, what exists they name, and what they show runs."""

import argparse
import importlib
import re
import shlex
import tomllib
from importlib import import_module
from types import ModuleType
from typing import Final
from urllib.parse import unquote

import pytest

from eoltag import __version__
from eoltag.commands.registry import COMMANDS
from eoltag.decide.task import TaskFile
from eoltag.settings import FetchSettings, Settings, parse
from eoltag.spark.runtime.options import add_spark_options
from eoltag.spark.tables.schemas import FLAT, IDENTITY
from tests.support.readme import PAGES, ROOT, anchors, blocks, code, commands_of, links, page, section, spans, tables
from train import __main__ as train
from train.settings import FitSettings
from train.tune.space import SearchFile

README: Final = PAGES["README.md"]
JOBS: Final = {f"jobs/{path.name}": path.stem for path in (ROOT / "jobs").glob("*.py") if path.stem != "__init__"}
TARGETS: Final = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SUBMIT: Final = (ROOT / "spark-submit.sh").read_text()
LONGEST_README: Final = 250
SPARKS_OWN: Final = {
    *(
        "--master",
        "--conf",
        "--driver-memory",
        "--deploy-mode",
        "--properties-file",
        "--load-spark-defaults",
        "--num-executors",
        "--packages",
    ),
    "--py-files",
}
"""Options of spark-submit that a page may name."""
OTHERS_OWN: Final = {
    *("--iterations", "--logdir", "--no-verify"),
    *(
        "--augment-samples",
        "--n",
        "--number",
        "--use",
        "--evaluate",
        "--extract",
        "--img",
        "--min",
        "--task",
        "--transfer",
        "--val",
    ),
}
"""Options of other programs that a page may name."""


def job(name: str) -> ModuleType:
    """The module of jobs/NAME.py."""
    return importlib.import_module(f"jobs.{name}")


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb of `python -m train`."""
    actions = train.parser()._actions
    (verbs,) = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    return dict(verbs.choices)


def options(parser: argparse.ArgumentParser) -> set[str]:
    """The long options, those of the parser's own verbs too."""
    found = {text for action in parser._actions for text in action.option_strings if text.startswith("--")}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= {text for below in action.choices.values() for text in options(below)}
    return found


def by_hand(text: str) -> str:
    """A map without its list of files, which is made of their docstrings."""
    return text.partition("\n## Every file\n")[0]


SHOWN: Final = sorted({(name, command) for name, text in PAGES.items() for command in commands_of(by_hand(text))})


@pytest.mark.parametrize(("name", "command"), SHOWN, ids=[f"{name}: {command[:60]}" for name, command in SHOWN])
def test_every_command_on_a_page_is_one_that_its_program_takes(name: str, command: str) -> None:
    assert name in PAGES
    words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
    if words[0] == "make":
        assert words[1] in TARGETS
    elif words[:3] == ["python", "-m", "train"]:
        assert not words[3:] or words[3] in {*verb_parsers(), "VERB"}
        if len(words) > 4 and words[4] != "KIND" and "--help" not in words and not re.search(r"\[|\.\.\.", command):
            train.parser().parse_args(words[3:])
    elif words[0] == "python":
        assert importlib.util.find_spec(words[2]) is not None
    else:
        at = next(number for number, word in enumerate(words) if word.endswith(".py"))
        assert {word for word in words[1:at] if word.startswith("--")} <= {*SPARKS_OWN, "--pack-env"}
        if words[at + 1 :] and "--help" not in words and words[at] in JOBS:
            job(JOBS[words[at]]).parser().parse_args(words[at + 1 :])


def test_the_readme_is_one_that_people_read_to_its_end() -> None:
    assert len(README.splitlines()) <= LONGEST_README


def test_every_make_target_is_explained() -> None:
    (rows,) = tables(section("Commands", PAGES["CONTRIBUTING.md"]))
    assert {code(row[0]).split()[1] for row in rows} == TARGETS


def test_every_option_that_is_named_exists() -> None:
    known = {*SPARKS_OWN, *OTHERS_OWN, *re.findall(r"^ +(--[a-z-]+) ", SUBMIT, re.MULTILINE), "--help"}
    for parser in (*verb_parsers().values(), *(job(name).parser() for name in JOBS.values())):
        known |= options(parser)
    of_console = argparse.ArgumentParser()
    add_spark_options(of_console)
    known |= options(of_console)
    for command in COMMANDS.values():
        if not command.is_job and command.module.startswith("eoltag."):
            known |= options(import_module(command.module).parser())
    for name, text in PAGES.items():
        of_benchmarks = {"--full", "--plumbing", "--images", "--package", "--write", "--data", "--hashes", "--arms"}
        named = {
            found
            for span in spans(text)
            if not span.startswith(("pip ", "git ", "tensorboard "))
            for found in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", span)
        }
        assert named <= known | of_benchmarks, name


def settings_files() -> list[tuple[str, str]]:
    """(page, content) of the TOML blocks that are whole files: their first line names a file of one's own."""
    return [(name, block) for name, text in PAGES.items() for block in blocks("toml", text) if block.startswith("# ")]


@pytest.mark.parametrize(("name", "content"), settings_files(), ids=lambda value: value.splitlines()[0])
def test_the_settings_files_on_the_pages_are_sound(name: str, content: str) -> None:
    document = tomllib.loads(content)
    if "models" in document:
        parse(TaskFile, document, name)
    elif set(document) & set(Settings.model_fields):
        parse(Settings, document, name)
    elif "space" in document:
        parse(SearchFile, document, name)
    else:
        parse(FitSettings, document, name)


def test_the_columns_that_rules_may_use_are_those_named() -> None:
    text = section("Rules", page("how-to/task-files.md"))
    (item,) = [part for part in re.split(r"\n+- ", text) if part.startswith("Rules may use")]
    assert set(spans(item)) == {*IDENTITY, *FLAT}


def test_the_files_that_ship_are_all_on_some_page() -> None:
    everything = "\n".join(PAGES.values())
    for path in (ROOT / "conf").rglob("*"):
        if path.suffix in (".toml", ".conf"):
            assert str(path.relative_to(ROOT)) in everything


def test_the_user_agent_on_the_page_is_the_one_that_is_sent() -> None:
    assert FetchSettings().user_agent in spans(page("how-to/politeness.md"))


LINKING: Final = {**PAGES, "CHANGELOG.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")}


@pytest.mark.parametrize("name", LINKING)
def test_links_lead_somewhere(name: str) -> None:
    for target in links(LINKING[name]):
        path, _, anchor = target.partition("#")
        if path.startswith(("http://", "https://", "mailto:")):
            continue
        file = (ROOT / name).parent / unquote(path) if path else ROOT / name
        assert file.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{name} links to {target}"


def test_every_page_is_in_the_index() -> None:
    listed = {f"docs/{link.partition('#')[0]}" for link in links(page("README.md"))}
    assert {name for name in PAGES if name.startswith("docs/")} - {"docs/README.md"} <= listed


@pytest.mark.parametrize("name", PAGES)
def test_paths_on_a_page_exist(name: str) -> None:
    folders = tuple(f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and path.name not in ("build", "mine"))
    for span in spans(PAGES[name]):
        path = span.split()[0]
        if path.startswith(folders) and re.fullmatch(r"[\w./-]+", path) and span != FetchSettings().user_agent:
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_no_place_of_the_machine_it_was_written_on(name: str) -> None:
    assert not re.search(r"(?<![\w.])/(work|tmp|root|home)/", PAGES[name])


@pytest.mark.parametrize("name", ["eoltag/architecture.md", "train/README.md"])
def test_a_map_sends_nobody_to_a_file_that_is_not_there(name: str) -> None:
    for span in spans(by_hand(PAGES[name])):
        if re.fullmatch(r"[\w./]+(\.py|/)", span) and span != "run.py":
            assert (ROOT / name).parent.joinpath(span).exists() or (ROOT / span).exists(), span


def test_the_change_log_has_this_version() -> None:
    assert f"[{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
