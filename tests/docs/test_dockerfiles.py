"""The Dockerfiles: hadolint finds nothing, what they copy is there, and versions are those that are pinned."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

FILES = sorted((ROOT / "docker").iterdir())


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_hadolint_finds_nothing(path: Path, tmp_path: Path) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "Dockerfile").write_text(path.read_text().replace("USER ", "USR "))
    assert subprocess.run([hadolint, tmp_path / "Dockerfile"], capture_output=True, check=False).returncode


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_what_is_copied_is_there_and_is_what_pip_needs(path: Path) -> None:
    text = path.read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)", text, re.MULTILINE) for word in line.split()[:-1]]
    assert [word for word in copied if not (ROOT / word).exists()] == []
    assert {"setup.py", "constraints.txt", "README.md", "conf", "eoltag", "train"} <= {*copied}


def test_the_executors_have_the_spark_of_the_driver() -> None:
    (pin,) = re.findall(r"^pyspark==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert f"FROM apache/spark:{pin}-" in (ROOT / "docker/Dockerfile.executor").read_text()
    assert f"sparkVersion: {pin}" in (ROOT / "conf/schedule/spark-application.yaml").read_text()
