"""What a user's machine may have set otherwise than Spark can bear, put right for the processes that a job starts."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import MutableMapping
from itertools import pairwise
from pathlib import Path
from typing import Final

from eoltag.errors import UsageError

OLDEST_SPARK: Final = 4
_WHAT_PYTHON: Final = "import sys, pyspark, eoltag; print(*sys.version_info[:2], sep='.')"
_UTF_8: Final = re.compile(r"utf-?8", re.IGNORECASE)
_CORE: Final = re.compile(r"spark-core_[\d.]+-(\d+)[\d.]*.*\.jar")


def suit_spark(environment: MutableMapping[str, str], options: str) -> None:
    """Change the environment that the JVM gets. Raises UsageError: no bash, Spark, or Python fit for it.

    A host name that does not resolve would keep a local Spark from starting, an ASCII locale would spoil names in other
    letters, and a `token.py` in the current directory would take the place of Python's own in the workers.
    options: as PYSPARK_SUBMIT_ARGS has them.
    """
    if shutil.which("bash", path=environment.get("PATH")) is None:
        raise UsageError(f"bash is not on PATH ({environment.get('PATH')}); Spark's own start scripts need it")
    _check_home(environment.get("SPARK_HOME", ""))
    if runs_here(options):
        _check_python(environment.get("PYSPARK_PYTHON", ""))
        environment.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")
    environment.setdefault("PYTHONSAFEPATH", "1")
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    if not _UTF_8.search(locale):
        environment["LC_ALL"] = "C.UTF-8"


def runs_here(options: str) -> bool:
    """Whether Spark runs on this machine alone. options: as PYSPARK_SUBMIT_ARGS has them."""
    words = shlex.split(options)
    masters = [word for before, word in pairwise(words) if before == "--master"]
    masters += [word.removeprefix("--master=") for word in words if word.startswith("--master=")]
    return any(master == "local" or master.startswith("local[") for master in masters)


def _check_python(python: str) -> None:
    """Refuse a Python for the workers that is not as the driver's; each of their tasks would fail, with a trace."""
    if python in ("", sys.executable):
        return
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    advice = f"wanted Python {wanted} with eoltag, as this one, or nothing; unset it"
    try:
        done = subprocess.run([python, "-c", _WHAT_PYTHON], capture_output=True, text=True, check=False)
    except OSError as problem:
        raise UsageError(f"PYSPARK_PYTHON: {python} cannot be run ({problem.strerror}); {advice}") from problem
    if done.returncode or done.stdout.strip() != wanted:
        said = [done.stdout.strip(), *done.stderr.strip().splitlines()][-1]
        raise UsageError(f"PYSPARK_PYTHON: {python} cannot run eoltag ({said}); {advice}")


def _check_home(home: str) -> None:
    if not home:
        return
    advice = "unset it to use the Spark that is installed with eoltag"
    if not (Path(home) / "bin" / "spark-submit").is_file():
        raise UsageError(f"SPARK_HOME: {home} holds no bin/spark-submit; {advice}")
    found = [match[1] for path in Path(home).glob("jars/spark-core_*.jar") if (match := _CORE.fullmatch(path.name))]
    if found and max(map(int, found)) < OLDEST_SPARK:
        raise UsageError(
            f"SPARK_HOME: Spark {OLDEST_SPARK} or newer was wanted; {home} holds Spark {found[0]}; {advice}"
        )
