"""What spark-submit.sh sets before a job, for the console command: Java, Python, and the options of Spark."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from eoltag.errors import UsageError
from eoltag.places import project_root

ONLY_CHECK: Final = "EOLTAG_ONLY_CHECK"
"""Set in the environment: arguments are checked, and nothing is done."""
OLDEST_JAVA: Final = 17
_LOCAL: Final = "local[*,4]"
"""All cores; a task may fail four times."""
_JVMS: Final = Path("/usr/lib/jvm")


def add_spark_options(parser: ArgumentParser) -> None:
    """Add the options that say where Spark runs, and how."""
    parser.add_argument("--master", metavar="URL", help=f"where Spark runs (default {_LOCAL}: this machine)")
    parser.add_argument(
        "--spark-conf",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings of Spark, such as spark.driver.memory=4g",
    )


def prepare_spark(options: Namespace) -> None:
    """Set what is unset in the environment, for start_java(). Raises UsageError: no Java, or an unusable setting.

    Leaves all as it is where the job was started by spark-submit.sh, or PYSPARK_SUBMIT_ARGS is given. Ends the process
    where spark-submit.sh only wants to know whether the arguments can be used.
    """
    if is_only_check():
        raise SystemExit(0)
    if "PYSPARK_SUBMIT_ARGS" in os.environ or not hasattr(options, "spark_conf"):
        return
    words = submit_options(options.master or _LOCAL, options.spark_conf)
    os.environ["JAVA_HOME"] = str(find_java())
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    if _is_local(options.master or _LOCAL):
        os.environ.setdefault("SPARK_CONF_DIR", str(project_root() / "conf" / "spark"))
    os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*words, "pyspark-shell"])


def is_only_check() -> bool:
    """Whether nothing is to be done but to refuse what cannot be used."""
    return ONLY_CHECK in os.environ


def submit_options(master: str, settings: Sequence[str]) -> list[str]:
    """Options of spark-submit. Raises UsageError for a setting that is none."""
    folder = project_root() / "conf" / "spark"
    words = ["--master", master]
    if _is_local(master):
        words += ["--properties-file", str(folder / "local.conf")]
    else:
        words += ["--properties-file", str(folder / "cluster.conf"), "--load-spark-defaults"]
    for setting in settings:
        if not re.match(r"spark\.[^=\s]+=", setting):
            raise UsageError(f"--spark-conf: spark.KEY=VALUE was wanted. Received: {setting!r}")
        words += ["--conf", setting]
    return words


def find_java() -> Path:
    """The home of a Java that Spark can use. Raises UsageError, which says how to install one."""
    for home in _homes():
        if (home / "bin" / "java").is_file() and _version(home) >= OLDEST_JAVA:
            return home
    raise UsageError(
        f"Java {OLDEST_JAVA} or newer was not found, which Spark runs on; install it (Debian, Ubuntu: "
        f"sudo apt-get install openjdk-{OLDEST_JAVA}-jre-headless) or set JAVA_HOME"
    )


def _homes() -> Iterator[Path]:
    if given := os.environ.get("JAVA_HOME"):
        yield Path(given)
    if found := shutil.which("java"):
        yield Path(found).resolve().parent.parent
    yield from sorted(_JVMS.glob("*"))


def _version(home: Path) -> int:
    """From the file that a JDK or JRE has beside it; else by asking, which takes a JVM's start."""
    release = home / "release"
    if release.is_file():
        text = release.read_text(encoding="utf-8", errors="replace")
    else:
        text = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'(?:^JAVA_VERSION=|version )"(\d+)', text, re.MULTILINE)
    return int(found[1]) if found else 0


def _is_local(master: str) -> bool:
    return master == "local" or master.startswith("local[")
