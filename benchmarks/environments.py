"""Virtual environments of the peers, made once from the pins in benchmarks/peers/*.txt."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

PEERS: Final = Path(__file__).resolve().parent / "peers"
_READY: Final = ".ready"


class PeerUnavailableError(Exception):
    """A peer cannot be installed here; says why in one line."""


def peer_bin(name: str, folder: Path) -> Path:
    """The bin folder of the peer's environment below `folder`, installed now where it is missing or its pins changed.

    Raises PeerUnavailableError.
    """
    pins = PEERS / f"{name}.txt"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()
    target = folder / name
    ready = target / _READY
    if ready.is_file() and ready.read_text() == digest:
        return target / "bin"
    print(f"installing {name} with its pinned packages into {target} (once) ...", file=sys.stderr)
    _call([sys.executable, "-m", "venv", "--clear", str(target)])
    _call([str(target / "bin" / "python"), "-m", "pip", "install", "-q", "--no-deps", "-r", str(pins)])
    ready.write_text(digest)
    return target / "bin"


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise PeerUnavailableError(lines[0][:300] if lines else f"{command[0]} ended with {done.returncode}")
