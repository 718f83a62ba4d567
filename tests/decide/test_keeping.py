"""What --keep adds to a task, and which names it refuses."""

from pathlib import Path

import pytest

from eoltag.decide.keeping import further_names, keeping, may_lack, named
from eoltag.decide.task import ModelEntry, Task, TaskFile
from eoltag.errors import SettingsError


def a_task(**more: object) -> Task:
    """A task file without a package behind it."""
    content = {"name": "kind", "models": {"main": ModelEntry(package="p")}, "columns": ("eolMediaURL", "tag"), **more}
    return Task(Path("kind.toml"), TaskFile.model_validate(content), {})


def test_kept_columns_reach_rules_and_files_each_once() -> None:
    task = a_task(bundle_columns=("sciname",), columns=("eolMediaURL", "tag", "Rights=upper(licence)"))
    kept = keeping(task, ["sciname", "Ancestry", "rights=dc:rights", "rights=dc:rights"])
    assert kept.file.bundle_columns == ("sciname", "rights=dc:rights")
    assert kept.file.columns == ("eolMediaURL", "tag", "Rights=upper(licence)", "sciname", "ancestry")
    assert kept.kept == ("sciname", "Ancestry", "rights=dc:rights", "rights=dc:rights")
    assert further_names(kept.kept) == ["sciname", "rights"]
    assert "dc:rights" in may_lack(kept)
    assert keeping(task, []) is task


def test_a_column_whose_name_is_no_word_is_refused_with_one_that_is() -> None:
    with pytest.raises(SettingsError, match=r"'Scientific Name' is no usable name.*'Scientific_Name=Scientific Name'"):
        named(["Scientific Name"])
    with pytest.raises(SettingsError, match="write 'NAME=学名'"):
        named(["学名"])


def test_a_name_that_means_something_else_in_the_task_is_refused() -> None:
    with pytest.raises(SettingsError, match="has a model, feature or column of its own called 'MAIN'"):
        keeping(a_task(), ["MAIN"])
    with pytest.raises(SettingsError, match="task 'kind' calls the column 'dc:rights' so"):
        keeping(a_task(bundle_columns=("rights=dc:rights",)), ["rights"])
