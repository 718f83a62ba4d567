"""What a shell completes: commands, verbs, options."""

import shutil
import subprocess
from pathlib import Path

import pytest

from eoltag.__main__ import main
from eoltag.commands.completion import SHELLS

_TRY = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _shtab_eoltag; echo "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of bash."""
    target = tmp_path_factory.mktemp("completion") / "eoltag.bash"
    with pytest.MonkeyPatch.context() as patch:
        shown: list[str] = []
        patch.setattr("builtins.print", lambda text, **_: shown.append(text))
        assert main(["completion", "bash"]) == 0
    target.write_text(shown[0])
    return target


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (("eoltag", "de"), "decide demo"),
        (("eoltag", "tag", "--met"), "--metrics-file"),
        (("eoltag", "decide", "--log-format", "j"), "json"),
        (("eoltag", "train", "fi"), "fit"),
        (("eoltag", "train", "fit", "--ou"), "--out"),
    ],
)
def test_bash_completes_commands_verbs_options_and_their_values(
    script: Path, typed: tuple[str, ...], wanted: str
) -> None:
    done = subprocess.run(["bash", "-c", _TRY, "bash", script, *typed], capture_output=True, text=True, check=True)
    assert " ".join(sorted(done.stdout.split())) == wanted


def test_each_shell_gets_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in SHELLS:
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        assert "metrics-file" in script
        if shutil.which(shell):
            subprocess.run([shell, "-n"], input=script, text=True, check=True)
