"""README.md is true: what it names exists, what exists it names, and what it shows runs."""

import argparse
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, get_args, get_origin
from urllib.parse import unquote

import duckdb
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from eoltag import __version__
from eoltag.decide.task import ModelEntry, Rule, TaskFile
from eoltag.errors import ExitCode
from eoltag.records import TRANSIENT, Outcome
from eoltag.settings import FetchSettings, Settings, parse
from eoltag.spark.runtime.command import INTERRUPTED
from eoltag.spark.tables.schemas import FLAT, IDENTITY, PREDICTIONS
from tests.support.loopback import Loopback
from tests.support.readme import ROOT, TEXT, anchors, blocks, code, matches, said, section, spans, tables
from tests.support.readme_demo import ANSWERS, write_demo
from tests.support.readme_mistakes import MISTAKES, SPARK_MISTAKES, lay_desk, run, write
from train import __main__ as train
from train.settings import FitSettings

JOBS: Final = {f"jobs/{path.name}": path.stem for path in (ROOT / "jobs").glob("*.py") if path.stem != "__init__"}
TARGETS: Final = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SUBMIT: Final = (ROOT / "spark-submit.sh").read_text()
PAGES: Final = ("README.md", "CHANGELOG.md", "eoltag/architecture.md")

SPARKS_OWN: Final = {
    *("--master", "--conf", "--deploy-mode", "--properties-file", "--load-spark-defaults", "--num-executors"),
    "--py-files",
}
"""Options of spark-submit that the page may name."""


def job(name: str) -> ModuleType:
    """The module of jobs/NAME.py."""
    return importlib.import_module(f"jobs.{name}")


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb of `python -m train`."""
    actions = train._parser()._actions
    (verbs,) = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    return dict(verbs.choices)


def arguments(parser: argparse.ArgumentParser) -> set[str]:
    """Every argument as the tables write it: `--limit N`, `--quiet`, `PATH ...`."""
    shown = set()
    for action in parser._actions:
        if action.dest == "help":
            continue
        name = action.option_strings[-1] if action.option_strings else ""
        takes = action.nargs != 0
        value = action.metavar or (action.dest.upper() if takes else "")
        shown.add(" ".join(part for part in (name, str(value), "..." if action.nargs == "+" else "") if part))
    return shown


def options(parser: argparse.ArgumentParser) -> set[str]:
    """The long options, those of the parser's own verbs too."""
    found = {text for action in parser._actions for text in action.option_strings if text.startswith("--")}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= {text for below in action.choices.values() for text in options(below)}
    return found


def commands() -> list[str]:
    """Every shell command on the page: in blocks, after a prompt, or in code style."""
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += [line[2:] for block in blocks("text") for line in block.splitlines() if line.startswith("$ ")]
    lines += [text for text in spans() if text.startswith(("make ", "./spark-submit.sh ", "python -m train "))]
    return sorted(set(lines))


@pytest.mark.parametrize("command", commands(), ids=lambda command: command[:60])
def test_every_command_on_the_page_is_one_that_its_program_takes(command: str) -> None:
    words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
    if words[0] == "make":
        assert words[1] in TARGETS
    elif words[:3] == ["python", "-m", "train"]:
        if words[3:]:
            assert words[3] in verb_parsers()
        if len(words) > 4:
            train._parser().parse_args(words[3:])
    else:
        assert words[0] == "./spark-submit.sh"
        at = next(number for number, word in enumerate(words) if word.endswith(".py"))
        assert {word for word in words[1:at] if word.startswith("--")} <= {*SPARKS_OWN, "--pack-env"}
        if words[at + 1 :]:
            job(JOBS[words[at]]).parser().parse_args(words[at + 1 :])


def test_every_make_target_is_on_the_page() -> None:
    assert {code(row[0]).split()[1] for row in tables("Development")[1]} == TARGETS


@pytest.mark.parametrize(("path", "name"), JOBS.items())
def test_the_table_of_a_job_holds_its_options(path: str, name: str) -> None:
    (rows,) = tables(f"`{path}`")
    assert {code(row[0]) for row in rows} == arguments(job(name).parser())


@pytest.mark.parametrize("verb", train.VERBS)
def test_the_table_of_a_verb_holds_its_arguments(verb: str) -> None:
    (rows,) = tables(f"`python -m train {verb}`")
    assert {code(row[0]) for row in rows} == arguments(verb_parsers()[verb])


def test_every_option_that_is_named_exists() -> None:
    known = {*SPARKS_OWN, *re.findall(r"^ +(--[a-z-]+) ", SUBMIT, re.MULTILINE), "--help"}
    for parser in (*verb_parsers().values(), *(job(name).parser() for name in JOBS.values())):
        known |= options(parser)
    named = {found for text in spans() for found in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)}
    assert named <= known


def test_the_options_of_the_shell_script_are_those_it_explains() -> None:
    (rows,) = tables("`spark-submit.sh`")
    usage, _, environment = SUBMIT.partition("\nTEXT\n")[0].partition("environment:")
    explained = {*re.findall(r"^  (--[a-z-]+) ", usage, re.MULTILINE), *re.findall(r"\b[A-Z_]{4,}\b", environment)}
    assert {code(row[0]) for row in rows} == explained | {"--help"}


def sections_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting with its full key."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from sections_of(field.annotation, f"{name}.")
        else:
            yield f"{prefix}{name}", field


def range_of(field: FieldInfo) -> str | None:
    """A setting's range as the tables write it; None where words have to do."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    if field.annotation is bool:
        return "`true`, `false`"
    bounds = {type(bound).__name__: getattr(bound, type(bound).__name__.lower(), None) for bound in field.metadata}
    low = f"{bounds['Ge']:,}" if "Ge" in bounds else f"above {bounds['Gt']:,}" if "Gt" in bounds else None
    high = f"{bounds['Le']:,}" if "Le" in bounds else f"below {bounds['Lt']:,}" if "Lt" in bounds else None
    return None if low is None or high is None else f"{low} to {high}"


@pytest.mark.parametrize(("title", "model"), [("Settings", Settings), ("Training settings", FitSettings)])
def test_every_setting_is_listed_with_its_default_and_range(title: str, model: type[BaseModel]) -> None:
    (rows,) = tables(title)
    listed = {code(row[0]): row for row in rows}
    fields = dict(sections_of(model))
    assert list(listed) == list(fields)
    for key, field in fields.items():
        default = field.get_default(call_default_factory=True)
        shown = tomllib.loads(f"value = {code(listed[key][1])}")["value"]
        assert shown == (list(default) if isinstance(default, tuple) else default), key
        wanted = range_of(field)
        assert listed[key][2] == wanted or wanted is None, f"{key}: {wanted}"
        assert listed[key][2], key
        assert listed[key][3], key


def test_every_key_of_a_task_file_is_listed() -> None:
    (rows,) = tables("Task file keys")
    keys = {*TaskFile.model_fields} - {"models", "rules", "extras"}
    keys |= {f"models.NAME.{name}" for name in ModelEntry.model_fields} | {
        f"rules.{name}" for name in Rule.model_fields
    }
    assert {code(row[0]) for row in rows} == keys | {"extras.NAME"}


def test_the_columns_that_rules_may_use_are_those_named() -> None:
    (item,) = [text for text in section("Task files").split("\n- ") if text.startswith("Rules may use")]
    assert set(spans(item)) == {*IDENTITY, *FLAT}


def test_every_outcome_is_listed_with_what_becomes_of_it() -> None:
    (rows,) = tables("Outcomes")
    listed = {code(row[0]): row[1] for row in rows}
    wanted = {str(outcome): "passing" if outcome in TRANSIENT else "final" for outcome in Outcome}
    assert listed == {**wanted, "ok": "answer"}


def test_every_column_of_predictions_is_listed_with_its_type() -> None:
    (rows,) = tables("Columns of predictions")
    named = {"bigint": "long", "map<string,float>": "map<string, float>"}
    types = {field.name: field.dataType.simpleString() for field in PREDICTIONS.fields}
    assert {code(row[0]): row[1] for row in rows} == {name: named.get(kind, kind) for name, kind in types.items()}


def test_every_exit_code_is_listed() -> None:
    (rows,) = tables("Exit codes")
    assert [int(row[0]) for row in rows] == [*ExitCode, INTERRUPTED]


def settings_files() -> list[tuple[str, str]]:
    """(file name, content) of the settings files on the page."""
    return [(block.splitlines()[0].removeprefix("# ").partition(",")[0], block) for block in blocks("toml")]


@pytest.mark.parametrize(("name", "content"), settings_files(), ids=lambda value: value.splitlines()[0])
def test_the_settings_files_on_the_page_are_sound(name: str, content: str) -> None:
    document = tomllib.loads(content)
    if "models" in document:
        parse(TaskFile, document, name)
    elif set(document) & set(Settings.model_fields):
        parse(Settings, document, name)
    else:
        parse(FitSettings, document, name)


def test_the_files_that_ship_are_all_on_the_page() -> None:
    shipped = [path for path in (ROOT / "conf").rglob("*") if path.suffix in (".toml", ".conf")]
    for path in shipped:
        assert str(path.relative_to(ROOT)) in TEXT


def test_the_user_agent_on_the_page_is_the_one_that_is_sent() -> None:
    assert FetchSettings().user_agent in spans()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        path, _, anchor = target.partition("#")
        if path.startswith(("http://", "https://")):
            continue
        file = (ROOT / page).parent / unquote(path) if path else ROOT / page
        assert file.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{page} links to {target}"


def test_paths_on_the_page_exist() -> None:
    folders = tuple(f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and path.name not in ("build", "mine"))
    for text in spans():
        path = text.split()[0]
        if path.startswith(folders) and re.fullmatch(r"[\w./-]+", path) and text != FetchSettings().user_agent:
            assert (ROOT / path).exists(), path


def test_the_page_names_no_place_of_the_machine_it_was_written_on() -> None:
    assert not re.search(r"(?<![\w.])/(work|tmp|root|home)/", TEXT)


def test_the_page_of_the_architecture_has_a_line_for_every_file() -> None:
    text = (ROOT / "eoltag/architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w/]+\.py)` \|", text, re.MULTILINE)
    there = {str(path.relative_to(ROOT / "eoltag")) for path in (ROOT / "eoltag").rglob("*.py")}
    assert sorted(listed) == sorted(there - {"__init__.py"})
    rooms = {path.partition("/")[0].removesuffix(".py") for path in there} - {"__init__"}
    for room in rooms:
        assert re.search(rf"`{room}/?`", text.partition("## Every file")[0]), f"{room} has no place in the import rule"


def test_the_change_log_has_this_version() -> None:
    assert f"[{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory in which `make demo` seems to have run."""
    write_demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snippet(library: str) -> str:
    """The Python on the page that imports a library."""
    (found,) = [block for block in blocks("python") if library in block]
    return found


def test_the_duckdb_snippet_and_its_questions_give_the_right_answers(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.is_dir()
    exec(snippet("import duckdb"), {})
    assert "unsure" in capsys.readouterr().out
    questions = blocks("sql")
    assert len(questions) == len(ANSWERS)
    for question, answer in zip(questions, ANSWERS, strict=True):
        rows = [row[: len(answer[0])] for row in duckdb.execute(question).fetchall()]
        found = sorted(rows, key=lambda row: str(row[4])) if "OVER" in question else rows
        assert found == answer


def test_the_pandas_snippet_answers_the_same(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.is_dir()
    names: dict[str, Any] = {}
    exec(snippet("import pandas"), names)
    shown = capsys.readouterr().out
    assert re.search(r"demo +map +2 +0\.85", shown)
    assert re.search(r"gone +images\.example +1", shown)
    assert list(names["read"].nsmallest(20, "confidence")["tag"]) == ["unsure", "map", "map"]
    latest = names["predictions"].sort_values(["fetched_at", "run_id"]).drop_duplicates(names["image"], keep="last")
    assert sorted(latest["outcome"]) == ["bad_url", "gone", "ok", "ok", "ok"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with a sound bundle, task, package and settings, for mistakes to spoil."""
    monkeypatch.chdir(tmp_path)
    lay_desk(tmp_path)
    return tmp_path


@pytest.mark.parametrize("situation", MISTAKES)
def test_the_page_quotes_what_a_mistake_is_answered_with(
    situation: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files, command = MISTAKES[situation]
    write(desk, files)
    with Loopback() as server:
        assert run(command.replace("BASE", server.base), monkeypatch) == ExitCode.UNUSABLE
        line = capsys.readouterr().err.splitlines()[-1].replace(server.base, "https://museum.example")
    assert matches(line, said(situation)), line
    assert not (desk / "out").exists()


def test_every_mistake_on_the_page_is_made_by_a_test() -> None:
    (rows,) = tables("When something is wrong")
    assert [row[0] for row in rows] == [*MISTAKES, *SPARK_MISTAKES]
