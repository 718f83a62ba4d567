"""Judge tags on a local page, keyboard first.

eoltag review OUTPUT
"""

import argparse
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from eoltag.errors import ExitCode, OutputError, UsageError
from eoltag.local.streams import say

EXAMPLES = """\
examples:
  eoltag review build/demo/output --task demo
  eoltag review build/demo/output --task demo --tag map --order least_sure --limit 500
  eoltag review build/demo/output --audit 20260101T020000Z-1a2b

The command prints an address that holds a token; open it in a browser. Keys: Enter right, 1 to 9 another tag (a tag on
or off, where an image may have several), u unsure, s skip, b back, z undo, g a grid of 30, ? all keys. Judgements are
appended to OUTPUT/judgements/ as you make them; several people may judge at once. `eoltag decide` then lets them go
before the rules. Ctrl-C ends the service; nothing is lost."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="eoltag review",
        description="Judge tags on a local page, keyboard first: which are right, and what the others should be.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("output", type=Path, metavar="OUTPUT", help="the --output directory of the runs, on this machine")
    new.add_argument("--task", nargs="+", default=[], metavar="NAME", help="only images of these tasks (default: all)")
    new.add_argument("--tag", nargs="+", default=[], metavar="TAG", help="only images with these tags")
    new.add_argument("--rule", nargs="+", default=[], metavar="RULE", help="only images that these rules tagged")
    new.add_argument("--ancestry", default="", metavar="TEXT", help="only images whose ancestry holds this")
    new.add_argument("--least", type=float, metavar="C", help="only images with at least this confidence")
    new.add_argument("--most", type=float, metavar="C", help="only images with at most this confidence")
    new.add_argument(
        "--order",
        choices=("uncertain", "random", "least_sure"),
        default="uncertain",
        help="confidence nearest to 0.5 first (default), at random, or lowest confidence first",
    )
    new.add_argument("--seed", type=int, default=0, metavar="S", help="of --order random (default 0)")
    new.add_argument("--limit", type=int, default=20_000, metavar="N", help="images at most (default 20000)")
    new.add_argument("--audit", metavar="ID", help="the images of this audit, in the order in which they were drawn")
    new.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: this machine alone)"
    )
    new.add_argument("--port", type=int, default=8010, metavar="P", help="default 8010; 0 takes a free one")
    new.add_argument("--token", default="", metavar="TEXT", help="the token in the address (default: a new random one)")
    return new


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C; returns the exit code. Raises UsageError."""
    _serve(parser().parse_args(arguments))
    return int(ExitCode.DONE)


def _serve(options: argparse.Namespace) -> None:
    import uvicorn  # comes with the extra `review`

    from eoltag.audit.sample import find_sample
    from eoltag.judgements.task_tags import read_task_tags
    from eoltag.review.app import Review, make_app
    from eoltag.review.queue import Slice, items_of, known_tags, read_items

    output: Path = options.output
    if not (output / "tags").is_dir():
        raise OutputError(f"{output}: wanted the --output directory of a run, on this machine; it holds no tags")
    if options.audit is not None:
        sample = find_sample(output, options.audit)
        items, drawn, tasks = items_of(sample), sample.reason, [sample.task]
    else:
        wanted = Slice(
            tuple(options.task), tuple(options.tag), tuple(options.rule), options.ancestry, options.least, options.most,
            options.order, options.seed, options.limit,
        )  # fmt: skip
        items, drawn, tasks = read_items(output, wanted), options.order, options.task
    if not items:
        raise OutputError(f"{output}: no image that was read is in this slice; widen --task, --tag, --least, --most")
    token, listener = options.token or secrets.token_urlsafe(16), _listen(options.host, options.port)
    port = listener.getsockname()[1]
    hosts = frozenset(f"{host}:{port}" for host in (options.host, "127.0.0.1", "localhost"))
    several = {item.task: read_task_tags(output, item.task).missing for item in items if item.tags is not None}
    app = make_app(Review(output, items, known_tags(output, tasks), several, drawn, token, hosts))
    shown = "127.0.0.1" if options.host == "0.0.0.0" else options.host
    say(f"{len(items):,} images to judge; open http://{shown}:{port}/?token={token}")
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as problem:
        raise UsageError(f"--port {port}: cannot listen on {host} ({problem.strerror or problem})") from problem
