"""Where conf/ lies: in the checkout that the package is run from, else in the package, as the wheel brings it."""

import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent
"""The folder of this package; a wheel has conf/ in it."""
_CONF: Final = "conf"


def project_root(package: Path = PACKAGE) -> Path:
    """The folder that holds conf/, with tasks, recipes, settings of jobs and of Spark."""
    checkout = package.parent
    # Beside an installed package may lie a conf of somebody else: a checkout has its script as well.
    is_checkout = (checkout / _CONF).is_dir() and (checkout / "spark-submit.sh").is_file()
    return checkout if is_checkout else package


def shipped(path: Path) -> Path:
    """The path itself where it leads to something; else a file that eoltag ships under this name, as `conf/train/x`."""
    there = project_root() / path
    is_shipped = path.parts[:1] == (_CONF,) and not path.exists() and there.is_file()
    return there if is_shipped else path


def neighbours(path: Path) -> list[str]:
    """The files that might have been meant by one that is not there: those beside it, here or as eoltag ships them."""
    folders = [path.parent, project_root() / path.parent] if path.parts[:1] == (_CONF,) else [path.parent]
    return sorted({file.name for folder in folders for file in folder.glob(f"*{path.suffix}")})


def install_command(extra: str, package: Path = PACKAGE) -> str:
    """What installs the libraries of an extra into the Python that runs: of a checkout as it is, else of a wheel."""
    root = project_root(package)
    what = f"'eoltag[{extra}]'" if root == package else f"-c {root}/constraints.txt -e '{root}[{extra}]'"
    return f"{sys.executable} -m pip install {what}"
