"""The commands of the demo, one after the other, each shown before it runs."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from eoltag.demo.server import bundle_rows, serving
from eoltag.places import project_root


def run_demo(folder: Path) -> int:
    """Leaves training pictures, a model, a list and the output below `folder`; returns an exit code.

    A model that an earlier demo has trained there is used again.
    """
    training, served, model, output = (folder / name for name in ("training", "served", "model", "output"))
    conf, bundle = project_root() / "conf", folder / "bundle.txt"
    folder.mkdir(parents=True, exist_ok=True)
    trained = model / "001" / "package" / "card.json"
    if not trained.is_file():
        shutil.rmtree(model, ignore_errors=True)  # an attempt that was cut short
        _call("draw pictures to learn from", "train", "sample-data", training, "--seed", "1")
        fit = ("train", "fit", conf / "train" / "demo.toml", "--data", training, "--out", model)
        _call("train (about a minute)", *fit)
    _call("draw other pictures to tag", "train", "sample-data", served, "--seed", "2")
    shutil.rmtree(output, ignore_errors=True)
    with serving(served) as server:
        rows = bundle_rows(server)
        bundle.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
        print(f"\n== serve {len(rows) - 1} pictures at {server.url('')}, some of them broken: {bundle}", flush=True)
        given = ("--bundle", bundle, "--task", "demo", "--model", f"demo={model}", "--output", output)
        tag = ("tag", *given, "--config", conf / "jobs" / "demo.toml")
        _call("tag them", *tag)
        asked = server.requests
        _call("tag them again: nothing is left to do", *tag)
        print(f"\nrequests that the second run made: {server.requests - asked}")
    print(f"\nLook at  {output}/report/index.html\n    and  {output}/tsv/demo/bundle_finaltags.tsv", flush=True)
    return 0


def _call(title: str, *words: str | Path) -> None:
    """Run a command of eoltag; ends the process with its exit code where that is not 0."""
    given = [str(word) for word in words]
    print(f"\n== {title}\n$ eoltag {shlex.join(given)}", flush=True)
    done = subprocess.run([sys.executable, "-P", "-m", "eoltag", *given], check=False)
    if done.returncode:
        sys.exit(done.returncode)
