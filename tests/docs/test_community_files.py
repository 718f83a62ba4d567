"""The files around the code are ones that their programs take, and call commands that exist."""

import os
import re
import shlex
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from eoltag import __version__
from tests.support.readme import ROOT

TARGETS: Final = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FORMS: Final = [path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
KINDS: Final = {"markdown", "textarea", "input", "dropdown", "checkboxes"}
"""What GitHub knows in an issue form."""


def read(name: str) -> Any:
    """A YAML file of the project."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_continuous_integration_runs_lint_and_tests_on_every_python_and_java() -> None:
    jobs = read(".github/workflows/ci.yml")["jobs"]
    assert jobs["test"]["strategy"]["matrix"] == {"python": ["3.11", "3.12", "3.13"], "java": ["17", "21"]}
    run = {step["run"].split()[1] for job in jobs.values() for step in job["steps"] if "run" in step}
    assert run == {"lint", "audit", "test", "test-cluster"}
    assert jobs["test"]["steps"][-1]["env"] == {"EOLTAG_VERIFY_OUTPUTS": "yes"}
    assert run <= TARGETS


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("exit 0", 0, "no known hole"),
        ("echo 'pillow 1.0 CVE-1' > $out; exit 1", 1, "pillow 1.0 CVE-1"),
        ("echo 'no route to host' >&2; exit 1", 0, "skipped, it gave no answer: no route to host"),
    ],
)
def test_a_known_hole_fails_and_no_network_does_not(program: str, code: int, said: str, tmp_path: Path) -> None:
    fake = tmp_path / "pip-audit"
    fake.write_text(f'#!/bin/bash\nout=${{@: -1}}\n[ "$2" = constraints.txt ] || exit 9\n{program}\n')
    fake.chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci/audit"], env={**os.environ, "PIP_AUDIT": str(fake)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr


def test_the_hooks_call_programs_of_the_virtual_environment_and_download_nothing() -> None:
    (local,) = read(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        program, *words = shlex.split(hook["entry"])
        assert hook["language"] == "system"
        assert (ROOT / program).exists(), program
        if words[:1] == ["-m"]:
            assert (ROOT / words[1].replace(".", "/")).is_dir()


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_is_one_that_github_takes(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in form["body"]} <= KINDS
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["attributes"]["label"] for field in asked)


def test_the_version_to_cite_is_this_one() -> None:
    citation = read("CITATION.cff")
    assert citation["version"] == __version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_a_clone_keeps_line_ends_and_binary_files_as_they_are() -> None:
    lines = (ROOT / ".gitattributes").read_text().splitlines()
    assert "* text=auto eol=lf" in lines
    binary = [line.split()[0] for line in lines if line.endswith(" binary")]
    folders = ("benchmarks", "conf", "docs", "eoltag", "jobs", "tests", "train")
    for path in (found for folder in folders for found in (ROOT / folder).rglob("*") if found.is_file()):
        if "__pycache__" in path.parts:
            continue
        content = path.read_bytes()
        is_binary = any(fnmatch(path.name, pattern) for pattern in binary)
        assert is_binary == (b"\0" in content), path
        assert is_binary or b"\r\n" not in content, path
