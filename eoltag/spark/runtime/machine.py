"""What a user's machine may have set otherwise than Spark can bear, put right for the processes that a job starts."""

import re
import shlex
from collections.abc import MutableMapping
from itertools import pairwise
from pathlib import Path
from typing import Final

from eoltag.errors import UsageError

OLDEST_SPARK: Final = 4
_UTF_8: Final = re.compile(r"utf-?8", re.IGNORECASE)
_CORE: Final = re.compile(r"spark-core_[\d.]+-(\d+)[\d.]*.*\.jar")


def suit_spark(environment: MutableMapping[str, str], options: str) -> None:
    """Change the environment that the JVM gets. Raises UsageError where SPARK_HOME names no Spark that is new enough.

    A host name that does not resolve would keep a local Spark from starting, an ASCII locale would spoil names in other
    letters, and a `token.py` in the current directory would take the place of Python's own in the workers.
    options: as PYSPARK_SUBMIT_ARGS has them.
    """
    _check_home(environment.get("SPARK_HOME", ""))
    if _is_local(options):
        environment.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")
    environment.setdefault("PYTHONSAFEPATH", "1")
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    if not _UTF_8.search(locale):
        environment["LC_ALL"] = "C.UTF-8"


def _is_local(options: str) -> bool:
    words = shlex.split(options)
    masters = [word for before, word in pairwise(words) if before == "--master"]
    masters += [word.removeprefix("--master=") for word in words if word.startswith("--master=")]
    return any(master == "local" or master.startswith("local[") for master in masters)


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
