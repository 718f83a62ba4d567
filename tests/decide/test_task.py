"""Task files: what they may say, and how a wrong one is refused before Spark starts."""

from pathlib import Path

import pytest

from eoltag.decide.tag_sql import rule_expression, tag_expression
from eoltag.decide.task import read_task, read_tasks, tsv_columns
from eoltag.errors import PackageError, TaskError

MODEL = '[models.main]\npackage = "{package}"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory with conf/tasks in it."""
    (tmp_path / "conf/tasks").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, package: Path, text: str, name: str = "kind") -> Path:
    """conf/tasks/NAME.toml over a real package."""
    path = folder / f"conf/tasks/{name}.toml"
    path.write_text(text + MODEL.format(package=package), encoding="utf-8")
    return path


def test_a_task_is_found_by_name_or_as_a_file(folder: Path, small_package: Path) -> None:
    path = written(folder, small_package, 'name = "kind"\n')
    assert read_task("kind", folder).name == "kind"
    assert read_task(str(path), Path("/elsewhere")).packages["main"].path == small_package


def test_a_package_is_found_beside_the_task_file(folder: Path, small_package: Path) -> None:
    (folder / "conf/tasks/my_model").symlink_to(small_package)
    written(folder, Path("my_model"), 'name = "kind"\n')
    assert read_task("kind", folder).packages["main"].card.labels


def test_defaults_are_eols_columns_and_na(folder: Path, small_package: Path) -> None:
    written(folder, small_package, 'name = "kind"\n')
    task = read_task("kind", folder)
    assert tag_expression(task) == "CAST(CASE WHEN NOT outcome <=> 'ok' THEN NULL ELSE 'NA' END AS STRING)"
    assert [header for header, _ in tsv_columns(task)] == [
        "eolMediaURL",
        "identifier",
        "dataObjectVersionID",
        "ancestry",
        "tag",
        "confidence",
    ]


def test_rules_become_one_case_in_their_order(folder: Path, small_package: Path) -> None:
    rules = 'rules = [{name="a", when="logit > 1.5", tag="bad"}, {name="b", when="true", tag_sql="label"}]\n'
    written(folder, small_package, f'name = "kind"\nmissing = "NA"\ncolumns = ["imclass=tag", "tag"]\n{rules}')
    task = read_task("kind", folder)
    assert tag_expression(task) == (
        "CAST(CASE WHEN NOT outcome <=> 'ok' THEN NULL WHEN (logit > 1.5) THEN 'bad' WHEN (true) THEN label "
        "ELSE 'NA' END AS STRING)"
    )
    assert rule_expression(task).endswith("WHEN (logit > 1.5) THEN 'a' WHEN (true) THEN 'b' ELSE NULL END AS STRING)")
    assert tsv_columns(task) == [("imclass", "tag"), ("tag", "tag")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "key 'name' is missing"),
        ('name = "a b"\n', "key 'name'"),
        ('name = "kind"\nrulez = []\n', "unknown key 'rulez'"),
        (
            'name = "kind"\nbundle_columns = ["dc:rights"]\n',
            "'dc:rights' is no usable name (letters, digits and _); write NAME=dc:rights",
        ),
        (
            'name = "kind"\nbundle_columns = ["rights", "Rights=licence"]\n',
            "a model, feature or other column is already called 'Rights'",
        ),
        (
            'name = "kind"\nfeatures = ["mnorm_pp", "hue"]\n',
            "features: unknown feature hue; known: mnorm_pp, mnorm_pp_512",
        ),
        ('name = "kind"\nbundle_columns = ["main"]\n', "a model, feature or other column is already called 'main'"),
        ('name = "kind"\nrules = [{name="a", when="true"}]\n', "rule 'a' wants either tag or tag_sql"),
        ('name = "kind"\nrules = [{name="a", when="true", tag="x", tag_sql="label"}]\n', "either tag or tag_sql"),
        (
            'name = "kind"\nrules = [{name="a", when="true", tag="x"}, {name="a", when="true", tag="y"}]\n',
            "two rules of one name: a",
        ),
        (
            'name = "kind"\nrules = [{name="a", when="logit > ${threshold.nothing}", tag="x"}]\n',
            "${threshold.nothing} is not in the package's card",
        ),
        ('name = "kind"\n"sp ace" = 1\n', "unknown key 'sp ace'"),
        ('name = "kind\n', "not valid TOML"),
    ],
)
def test_a_wrong_task_file_is_refused_with_file_and_reason(
    folder: Path, small_package: Path, text: str, said: str
) -> None:
    path = written(folder, small_package, text)
    with pytest.raises(TaskError) as caught:
        read_task("kind", folder)
    assert path.name in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_task_lists_the_known_ones(folder: Path, small_package: Path) -> None:
    written(folder, small_package, 'name = "kind"\n')
    with pytest.raises(TaskError, match="unknown task 'kid'; known: kind"):
        read_task("kid", folder)


def test_a_task_file_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(TaskError, match=r"no/such\.toml: no such task file"):
        read_task("no/such.toml", folder)


def test_a_missing_package_is_named(folder: Path) -> None:
    written(folder, Path("no/package"), 'name = "kind"\n')
    with pytest.raises(PackageError, match="the model package no/package is not there; make it with"):
        read_task("kind", folder)


def test_one_task_given_twice_runs_once_and_two_of_one_name_are_refused(folder: Path, small_package: Path) -> None:
    written(folder, small_package, 'name = "kind"\n')
    written(folder, small_package, 'name = "kind"\n', name="twin")
    assert [task.name for task in read_tasks(["kind", "kind"], folder)] == ["kind"]
    with pytest.raises(TaskError, match=r"twin\.toml: task 'kind' is already given by"):
        read_tasks(["kind", "twin"], folder)
