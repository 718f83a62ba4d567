"""What breaks while the lock is held says in one line what is wrong with the disk or the lock. Needs no Spark."""

import errno
import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from eoltag.errors import OutputError
from eoltag.spark.tables.lock import locked
from eoltag.spark.tables.output import Output


@pytest.fixture
def output(tmp_path: Path) -> Output:
    """A directory on this machine's disk, which Python alone changes."""
    return Output(cast("Any", None), str(tmp_path / "out"), "run1")


def broken_in(output: Output, problem: Exception, *, deletes: bool = False) -> None:
    """A run that has written something when it breaks. deletes: somebody has deleted its directory before."""
    with locked(output):
        (Path(output.root) / "images").mkdir()
        if deletes:
            shutil.rmtree(output.root)
        raise problem


def test_a_disk_that_is_full_in_the_middle_of_a_run_names_the_output_and_claims_nothing_of_what_was_written(
    output: Output,
) -> None:
    with pytest.raises(OutputError) as told:
        broken_in(output, RuntimeError("java.io.IOException: No space left on device"))
    assert str(told.value).startswith(f"{output.root}: No space left on device; what was committed stays")
    assert "nothing was written" not in str(told.value)
    assert (Path(output.root) / "images").exists()
    assert not (Path(output.root) / "_staging").exists()


def test_a_copy_that_fails_names_the_file_that_was_being_written(output: Output) -> None:
    with pytest.raises(OutputError, match=r"^/data/out/report/index\.html: No space"), locked(output):
        raise OSError(errno.ENOSPC, "No space left on device", "/here/page.html", None, "/data/out/report/index.html")


def test_whatever_breaks_when_the_directory_was_deleted_the_run_says_that_its_lock_is_gone(output: Output) -> None:
    with pytest.raises(OutputError, match=r"^[^:]*/out: the lock of this run is gone: the directory was deleted"):
        broken_in(output, RuntimeError("FAILED_READ_FILE.FILE_NOT_EXIST"), deletes=True)


def test_what_is_wrong_with_neither_is_raised_as_it_is(output: Output) -> None:
    with pytest.raises(RuntimeError, match="a bug"), locked(output):
        raise RuntimeError("a bug")
