"""Full, read-only and broken disks are one line, whoever met them."""

import errno
from pathlib import Path

import pytest

from eoltag.errors import ExitCode
from eoltag.local.disk import disk_problem
from eoltag.spark.runtime.command import run_command


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EROFS, "Read-only file system"),
        (errno.EDQUOT, "Disk quota exceeded"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_an_error_of_python_names_its_file_and_its_cause(number: int, cause: str) -> None:
    said = disk_problem(OSError(number, "whatever", "/data/out/images/part-0.parquet"))
    assert said is not None
    assert said.startswith(f"/data/out/images/part-0.parquet: {cause}; what was committed stays")


def test_an_error_that_came_of_one_of_the_disk_is_one_of_the_disk() -> None:
    whole = RuntimeError("the wave failed")
    whole.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/data/x")
    assert (disk_problem(whole) or "").startswith("/data/x: No space left on device")


def test_what_the_jvm_says_of_a_disk_names_the_folder_that_was_written(tmp_path: Path) -> None:
    said = disk_problem(RuntimeError("java.io.IOException: No space left on device\n\tat java.base/..."), str(tmp_path))
    assert said is not None
    assert said.startswith(f"{tmp_path}: No space left on device")


def test_other_errors_are_no_disks() -> None:
    assert disk_problem(ValueError("no space for a joke")) is None
    assert disk_problem(FileNotFoundError(errno.ENOENT, "No such file", "/x")) is None


def test_a_job_on_a_full_disk_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> ExitCode:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/out/runs/1.json.tmp")

    assert run_command(main) == ExitCode.UNUSABLE
    assert capsys.readouterr().err.startswith("error: /data/out/runs/1.json.tmp: No space left on device; what was")
