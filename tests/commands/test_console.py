"""The console command: what it lists, what it loads, what it refuses."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from eoltag.__main__ import main
from eoltag.commands import registry
from eoltag.commands.registry import COMMANDS
from eoltag.commands.tag import parser
from eoltag.places import install_command
from tests.support.paths import ROOT

HEAVY = ("pyspark", "tensorflow", "keras", "openvino", "train")


def test_help_lists_every_command_and_loads_neither_spark_nor_a_model_nor_training() -> None:
    code = (
        "import sys; from eoltag.__main__ import main\n"
        "try: main(['--help'])\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.endswith("\n[]\n")
    assert all(f"\n  {name} " in shown for name in COMMANDS)


def test_every_command_is_there() -> None:
    assert all(find_spec(command.module) for command in COMMANDS.values())


def test_whoever_names_no_command_sees_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr().err
    assert all(f"\n  {name} " in said for name in COMMANDS)


def test_a_mistyped_command_is_refused_with_the_one_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repot"]) == 2
    assert "error: unknown command 'repot'; known: tag, decide," in (said := capsys.readouterr().err)
    assert said.endswith("; did you mean 'report'?\n")


def test_a_command_whose_library_is_not_installed_says_which_extra_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda _: None)
    assert main(["tag", "--help"]) == 2
    wanted = f"error: eoltag tag wants pyspark, which is not installed: {install_command('spark')}\n"
    assert capsys.readouterr().err == wanted


def test_the_help_of_a_job_shows_it_as_it_was_called() -> None:
    assert "./spark-submit.sh" not in parser("eoltag tag").format_help()
    assert "  eoltag tag --bundle my_urls.txt --task demo" in parser("eoltag tag").format_help()
    assert "  ./spark-submit.sh jobs/tag_bundles.py --bundle my_urls.txt" in parser().format_help()


@pytest.mark.parametrize("command", [["completion", "bash"], ["train", "sample-data", "FOLDER", "--per-class", "1"]])
def test_a_stdout_that_cannot_be_written_is_one_line(tmp_path: Path, command: list[str]) -> None:
    words = [sys.executable, "-m", "eoltag", *(str(tmp_path / "new") if word == "FOLDER" else word for word in command)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    last = "error: standard output cannot be written (No space left on device); all else is done"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, last)
    assert "Traceback" not in done.stderr
