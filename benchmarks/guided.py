"""Bundles, cards, task files and HTTP answers, mutated towards lines of code that no input has reached before.

    make fuzz                                            (minutes; the pictures of benchmarks.fuzz come first)
    python -m benchmarks.guided --targets cards --seconds 600 --keep

Atheris (libFuzzer) watches which lines each input reaches; where it is not installed, the same inputs are mutated at
random. Whatever comes, a reader gives rows, a package, a task or an outcome, or refuses the input in one line. Inputs
that reach something new are kept by --keep in tests/corpus, one a line in base64, where a test reads them all again.
"""

import base64
import random
import socket
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any, Final

from benchmarks.fuzz import mutated
from tests.support.paths import ROOT
from tests.support.tiny_package import write_tiny_package

CORPUS: Final = ROOT / "tests/corpus"
MOST_S: Final = 5.0
"""For one input."""
_MEMORY_MB: Final = 2048
_LONGEST: Final = 4096
_REFUSED: Final = "refused"

Target = Callable[[bytes], str]
"""Reads an input; gives what came of it. Whatever else it raises is a fault."""


@contextmanager
def bundles() -> Iterator[Target]:
    """Lists in any format."""
    from eoltag.bundle.lists import open_bundles
    from eoltag.errors import BundleError

    with tempfile.TemporaryDirectory(prefix="eoltag-fuzz-") as folder:
        path = Path(folder) / "list"

        def read(data: bytes) -> str:
            path.write_bytes(data)
            try:
                return f"{sum(1 for bundle in open_bundles(path, 'a list') for _ in bundle.rows())} rows"
            except BundleError:
                return _REFUSED

        yield read


@contextmanager
def cards() -> Iterator[Target]:
    """card.json of a model package whose other files are sound; @xml and @bin stand for their digests."""
    from eoltag.errors import UsageError
    from eoltag.model.package import read_package

    with tempfile.TemporaryDirectory(prefix="eoltag-fuzz-") as folder:
        package = write_tiny_package(Path(folder) / "model", ("a", "b"), seed=1)
        xml, weights = (package.card.files[f"openvino/model.{end}"].encode() for end in ("xml", "bin"))

        def read(data: bytes) -> str:
            (package.path / "card.json").write_bytes(data.replace(b"@xml", xml).replace(b"@bin", weights))
            try:
                return read_package(package.path).version
            except UsageError:
                return _REFUSED

        yield read


@contextmanager
def tasks() -> Iterator[Target]:
    """Task files, with the reader of rules; what Spark says of them comes later."""
    from eoltag.decide.tag_sql import rule_expression, tag_expression
    from eoltag.decide.task import expressions, read_tasks
    from eoltag.errors import UsageError

    with tempfile.TemporaryDirectory(prefix="eoltag-fuzz-") as folder:
        write_tiny_package(Path(folder) / "model", ("a", "b"), seed=1)
        path = Path(folder) / "task.toml"

        def read(data: bytes) -> str:
            path.write_bytes(data)
            try:
                (task,) = read_tasks([str(path)], Path(folder))
                assembled = (tag_expression(task), rule_expression(task))
                return f"{len(expressions(task))} expressions, {sum(map(len, assembled))} letters"
            except UsageError:
                return _REFUSED

        yield read


@contextmanager
def answers() -> Iterator[Target]:
    """What a server sends, to the end of the connection; each from a host of its own, so that none is waited for."""
    from eoltag.fetch.read_ahead import fetch_ahead
    from eoltag.records import FetchRequest
    from eoltag.settings import FetchSettings

    settings = FetchSettings(
        allow_private_hosts=True, requests_per_s=0, attempts=1, deadline_s=1.0, wait_for_host_s=0, max_bytes=100_000
    )
    with _saying() as (port, say):
        numbers = iter(range(2, 1 << 22))

        def read(data: bytes) -> str:
            say(data)
            number = next(numbers)
            host = f"127.{number >> 14 & 255}.{number >> 7 & 127}.{1 + (number & 127)}"
            given = fetch_ahead(
                [f"http://{host}:{port}/picture.jpg"], FetchRequest, settings,
                rate_share=1.0, max_images=8, max_bytes=1_000_000,
            )  # fmt: skip
            return str(next(fetched.outcome for _, fetched in given))

        yield read


@contextmanager
def _saying() -> Iterator[tuple[int, Callable[[bytes], None]]]:
    """The port of a server on every loopback address, and what it is to answer from now on."""
    answer = [b""]
    with socket.socket() as listening:
        listening.bind(("0.0.0.0", 0))
        listening.listen(16)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.settimeout(MOST_S)
                        connection.recv(65_536)
                        connection.sendall(answer[0])
                    except OSError:
                        continue

        Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], lambda data: answer.__setitem__(0, data)
        listening.shutdown(socket.SHUT_RDWR)


TARGETS: Final[dict[str, Callable[[], Any]]] = {
    "bundles": bundles, "cards": cards, "tasks": tasks, "answers": answers,
}  # fmt: skip
"""Name -> opens what reads inputs of that kind."""


def corpus(name: str) -> list[bytes]:
    """The inputs of a target that are kept."""
    return [base64.b64decode(line) for line in (CORPUS / f"{name}.txt").read_text().split()]


def keep(name: str, inputs: list[bytes]) -> None:
    """Replace what is kept."""
    (CORPUS / f"{name}.txt").write_text("".join(f"{base64.b64encode(one).decode()}\n" for one in inputs))


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one target."""

    name: str
    by: str
    inputs: int
    fault: str

    def row(self) -> str:
        """A row of the table."""
        return f"{self.name:<8} {self.by:<10} {self.inputs:>9,}  {self.fault or 'no fault'}"


def guided(name: str, seconds: int, folder: Path, *, keeps: bool) -> Tried:
    """Let libFuzzer look for inputs in a process of its own, since it ends the process that it runs in."""
    found = folder / name
    found.mkdir()
    for number, data in enumerate(corpus(name)):
        (found / f"{number:06}").write_bytes(data)
    words = [sys.executable, "-m", "benchmarks.guided", "--one", name, str(found), f"-max_total_time={seconds}"]
    limits = [f"-timeout={MOST_S:.0f}", f"-rss_limit_mb={_MEMORY_MB}", f"-max_len={_LONGEST}", "-print_final_stats=1"]
    done = subprocess.run([*words, *limits, f"-artifact_prefix={folder}/{name}-"], capture_output=True, cwd=ROOT)
    said = done.stderr.decode(errors="replace")
    inputs = next((line.split()[-1] for line in said.splitlines() if "number_of_executed_units" in line), "0")
    fault = "" if done.returncode == 0 else _fault(said, folder, name)
    if keeps and not fault:
        fewest = folder / f"{name}-fewest"
        fewest.mkdir()
        merge = [sys.executable, "-m", "benchmarks.guided", "--one", name, str(fewest), str(found), "-merge=1"]
        subprocess.run(merge, capture_output=True, cwd=ROOT, check=True)
        keep(name, [path.read_bytes() for path in sorted(fewest.iterdir(), key=lambda path: path.stat().st_size)])
    return Tried(name, "guided", int(inputs), fault)


def _fault(said: str, folder: Path, name: str) -> str:
    """The line of the exception, and the input in base64."""
    lines = [line for line in said.splitlines() if "Error" in line or "ERROR" in line or "Exception" in line]
    files = [path for path in sorted(folder.glob(f"{name}-*")) if path.is_file()]
    encoded = base64.b64encode(files[0].read_bytes()).decode() if files else "?"
    return f"{(lines or ['it ended'])[-1][:160]}: {encoded}"


def at_random(name: str, seconds: float) -> Tried:
    """Mutate what is kept, where nothing tells which lines an input reaches."""
    known, until, count = corpus(name), time.monotonic() + seconds, 0
    draw = random.Random(1)
    with TARGETS[name]() as read:
        while time.monotonic() < until:
            data, began = mutated(draw.choice(known), count), time.monotonic()
            count += 1
            try:
                read(data)
            except Exception as problem:  # that nothing else comes is what is looked at here
                return Tried(name, "at random", count, f"{problem!r}: {base64.b64encode(data).decode()}")
            if time.monotonic() - began > MOST_S:
                return Tried(name, "at random", count, f"took too long: {base64.b64encode(data).decode()}")
    return Tried(name, "at random", count, "")


def _run_one(name: str, arguments: list[str]) -> None:
    """Hand this process to libFuzzer. Does not return."""
    import atheris

    with atheris.instrument_imports(include=["eoltag", "sqlglot", "pydantic", "aiohttp", "csv", "json", "tomllib"]):
        opened = TARGETS[name]()
        read = opened.__enter__()

    def try_one(data: bytes) -> None:
        read(data)

    atheris.Setup([sys.argv[0], *arguments], try_one)
    atheris.Fuzz()


def main() -> int:
    """Prints the table; exit code 1 where it shows a fault."""
    if sys.argv[1:2] == ["--one"]:
        _run_one(sys.argv[2], sys.argv[3:])
    parser = ArgumentParser(
        prog="python -m benchmarks.guided", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, metavar="S", help="for each (default 60)")
    parser.add_argument("--keep", action="store_true", help="keep inputs that reach something new in tests/corpus")
    options = parser.parse_args()
    has_guide = find_spec("atheris") is not None
    if not has_guide:
        print("atheris is not installed: inputs are mutated at random (pip install atheris)", file=sys.stderr)
    print(f"{'target':<8} {'by':<10} {'inputs':>9}  fault")
    faults = 0
    with tempfile.TemporaryDirectory(prefix="eoltag-fuzz-") as folder:
        for name in options.targets:
            if has_guide:
                tried = guided(name, options.seconds, Path(folder), keeps=options.keep)
            else:
                tried = at_random(name, options.seconds)
            print(tried.row(), flush=True)
            faults += bool(tried.fault)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
