"""Where conf/ lies: in the checkout that the package is run from, else in the package, as the wheel brings it."""

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
