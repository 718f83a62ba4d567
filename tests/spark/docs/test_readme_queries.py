"""What docs/ shows of Spark is true: its snippet, its questions, its task files, its columns, its error lines."""

import tomllib
from pathlib import Path
from typing import Final

import pytest
from pyspark.sql import SparkSession

from eoltag.decide.task import Task, TaskFile
from eoltag.errors import ExitCode
from eoltag.model.card import CardInput
from eoltag.model.package import Card, Package
from eoltag.spark.decide.checking import check_task
from eoltag.spark.decide.rules import tag_rows
from tests.support.readme import PAGES, blocks, code, matches, page, said, section, tables
from tests.support.readme_demo import ANSWERS, write_demo
from tests.support.readme_mistakes import SPARK_MISTAKES, lay_desk, run, write
from tests.support.tables import VERSION, bundle_rows, facts, rule, task

pytestmark = pytest.mark.spark

QUERIES: Final = page("how-to/query-the-tables.md")
TASK_FILES: Final = [
    block for text in PAGES.values() for block in blocks("toml", text) if "[models." in block and "[[rules]]" in block
]


def test_the_spark_snippet_and_its_questions_give_the_right_answers(
    session: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_demo(tmp_path)
    (snippet,) = [block for block in blocks("python", QUERIES) if "pyspark" in block]
    exec(snippet.replace('"build/demo', f'"{tmp_path}/build/demo'), {})  # Spark's current directory cannot be changed
    assert "unsure" in capsys.readouterr().out
    for question, answer in zip(blocks("sql", QUERIES), ANSWERS, strict=True):
        found = [tuple(row)[: len(answer[0])] for row in session.sql(question).collect()]
        assert [tuple(round(one, 3) if isinstance(one, float) else one for one in row) for row in found] == answer


@pytest.mark.parametrize("content", TASK_FILES, ids=lambda content: content.splitlines()[0])
def test_spark_takes_every_expression_of_the_task_files(session: SparkSession, content: str) -> None:
    file = TaskFile.model_validate(tomllib.loads(content))
    size = CardInput(height=32, width=32)
    card = Card(
        card_version=1, name="plants", labels=("flower", "fruit"), input=size, files={}, thresholds={"flower": 0.5}
    )
    check_task(
        session, Task(Path("mine.toml"), file, {name: Package(Path(name), card, VERSION) for name in file.models})
    )


def test_every_column_of_tags_is_listed_with_its_type(session: SparkSession) -> None:
    rows_in = bundle_rows(session, [{"eolMediaURL": "https://eol.org/a.jpg"}])
    tags = tag_rows(rows_in, facts(session, []), task(rules=(rule("maps", "label = 'map'", "map"),)))
    (rows,) = tables(section("Columns of tags", page("reference/tables.md")))
    listed = {code(row[0]): row[1] for row in rows}
    assert listed.pop("task") == "string"
    simple = {name: kind.partition("<")[0].replace("bigint", "long") for name, kind in tags.dtypes}
    assert {name: kind.partition("<")[0] for name, kind in listed.items()} == simple


@pytest.mark.parametrize("situation", SPARK_MISTAKES)
def test_the_page_quotes_what_a_mistake_is_answered_with(
    session: SparkSession,
    situation: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert session is not None
    monkeypatch.chdir(tmp_path)
    lay_desk(tmp_path)
    files, command = SPARK_MISTAKES[situation]
    write(tmp_path, files)
    wanted = ExitCode.TOO_MANY_FAILURES if "exit code 3" in situation else ExitCode.UNUSABLE
    assert run(command, monkeypatch) == wanted
    line = capsys.readouterr().err.splitlines()[-1]
    assert matches(line, said(situation)), line
