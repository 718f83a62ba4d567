"""Where tasks, recipes and settings are found, from a checkout and from a wheel."""

import subprocess
import sys
from pathlib import Path

import pytest

from eoltag.decide.packages import read_packages
from eoltag.errors import PackageError
from eoltag.places import PACKAGE, project_root
from tests.support.paths import ROOT


def test_a_checkout_is_its_own_root() -> None:
    assert project_root() == ROOT


def test_an_installed_package_has_its_own_copy_and_leaves_the_conf_of_others_alone(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    assert project_root(tmp_path / "eoltag") == tmp_path / "eoltag"


def test_a_build_puts_all_of_conf_into_the_package(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info", "-e", str(tmp_path), "build_py", "-d", str(tmp_path / "lib")],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    built = {path.relative_to(tmp_path / "lib/eoltag") for path in (tmp_path / "lib/eoltag/conf").rglob("*.*")}
    assert built == {path.relative_to(ROOT) for path in (ROOT / "conf").rglob("*.*")}


def test_from_a_wheel_a_missing_package_is_told_with_a_recipe_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PackageError, match=f"train fit {PACKAGE / 'conf/train/NAME.toml'} "):
        read_packages("kind", {"main": "models/kind"}, tmp_path / "kind.toml", PACKAGE, {})
