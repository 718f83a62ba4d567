"""Where tasks, recipes and settings are found, from a checkout and from a wheel."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from eoltag.decide.packages import read_packages
from eoltag.errors import PackageError, SettingsError
from eoltag.places import PACKAGE, install_command, project_root, shipped
from tests.support.paths import ROOT
from train import __main__ as train
from train.settings import read_fit_settings


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


def test_shipped_files_are_found_from_any_folder_and_those_of_a_person_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = Path("conf/train/demo.toml")
    assert shipped(recipe) == ROOT / recipe
    assert read_fit_settings(recipe).name == read_fit_settings(ROOT / recipe).name
    (tmp_path / "conf/train").mkdir(parents=True)
    recipe.write_text('name = "mine"\n')
    assert read_fit_settings(recipe).name == "mine"
    assert shipped(Path("setup.py")) == Path("setup.py"), "only what lies in conf/ is shipped"


def test_a_mistyped_recipe_is_answered_with_the_one_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"No such file or directory\); did you mean 'rating_18.toml'\?"):
        read_fit_settings(Path("conf/train/rating18.toml"))


def test_what_installs_an_extra_fits_a_checkout_and_a_wheel(tmp_path: Path) -> None:
    assert install_command("train") == (f"{sys.executable} -m pip install -c {ROOT}/constraints.txt -e '{ROOT}[train]'")
    assert install_command("train", tmp_path / "eoltag") == f"{sys.executable} -m pip install 'eoltag[train]'"


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(_: object) -> None:
        raise ModuleNotFoundError("No module named 'optuna.samplers'", name="optuna.samplers")

    monkeypatch.setitem(train.VERBS, "tune", replace(train.VERBS["tune"], run=run))
    assert train.main(["tune", "x.toml", "--data", "d", "--out", "o"]) == 2
    assert capsys.readouterr().err == (
        f"error: this needs optuna, which is not installed: {install_command('train')}\n"
    )
