"""What each rung of the ladder costs beside fetching: real images from a local server, packages trained on the way.

    make bench-reuse ARGS="--images PHOTOS --weights mobilenet.h5 --other-weights mobilenet_v2.h5 [--count 5000]"

PHOTOS holds a folder of images for each label (several folders of such folders are taken together: a model is
trained on the labels of all, so that it knows what it is asked about); the weights are ImageNet backbones of
keras.applications, MobileNet of alpha 0.75 and MobileNetV2 of alpha 0.35. Four heads are trained on the first backbone
and one on the second. Each step is one run of the job, its seconds those of its waves, so without
start-up and deciding; the server counts its requests. Figures go to build/bench/reuse.json.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from benchmarks.photos import photo_names
from benchmarks.server import ROOT, Server, served
from benchmarks.throughput import BUILD

FOLDER: Final = BUILD / "reuse"
TASK: Final = """
name = "{name}"
models.main.package = "{package}"
[[rules]]
name = "any"
when = "confidence >= 0"
tag_sql = "label"
"""
RECIPE: Final = """
architecture = "{architecture}"
alpha = {alpha}
image_size_px = 224
epochs = 8
learning_rate = 0.003
seed = {seed}
"""
BASES: Final = {"one": ("mobilenet", 0.75), "other": ("mobilenet_v2", 0.35)}
HEADS: Final = ("one_0", "one_1", "one_2", "one_3", "other_0")
CHANGED: Final = 50


@dataclass(frozen=True, slots=True)
class Step:
    """One run of the job."""

    name: str
    output: str
    tasks: tuple[str, ...]
    reuse: str = ""
    """Lines of the section [reuse]."""
    options: tuple[str, ...] = ()
    bundle: str = "all.txt"


KEEP: Final = "features = true\npixels = 256\n"
STEPS: Final = (
    Step("plain run, nothing kept", "plain", ("one_0",)),
    Step("features kept", "features", ("one_0",), "features = true\n"),
    Step("pixels kept", "pixels", ("one_0",), "pixels = 256\n"),
    Step("plain run again", "plain2", ("one_0",)),
    Step("features and pixels kept", "kept", ("one_0",), KEEP),
    Step("second task, same package", "kept", ("same",)),
    Step("new package, same base", "kept", ("one_1",)),
    Step("new package, other base", "kept", ("other_0",)),
    Step("new package, other base, fetched", "fetched", ("other_0",)),
    Step("four tasks on one base", "four", ("one_0", "one_1", "one_2", "one_3")),
    Step("refresh, nothing changed", "plain", ("one_0",), options=("--refresh-older-than", "0")),
    Step(f"refresh, {CHANGED} changed", "plain", ("one_0",), options=("--refresh-older-than", "0")),
)


def main() -> None:
    """Every step once, in order."""
    options = parser().parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "files").mkdir(parents=True)
    names = _lay_out(options)
    _train(options)
    figures = []
    with served(FOLDER / "files", 0.0, is_counted=True) as server:
        urls = [server.url(name, 0) for name in names]
        (FOLDER / "all.txt").write_text("\n".join(urls) + "\n", encoding="utf-8")
        for number, step in enumerate(STEPS):
            if number == len(STEPS) - 1:
                _change(names)
            figures.append(_measured(step, server))
            print(line(figures[-1]), flush=True)
    document = {"images": len(names), "steps": figures, **compared(figures)}
    (BUILD / "reuse.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print("\n".join(verdicts(document)))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="python -m benchmarks.reuse", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    new.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR")
    new.add_argument("--weights", type=Path, required=True, metavar="FILE")
    new.add_argument("--other-weights", type=Path, required=True, metavar="FILE")
    new.add_argument("--count", type=int, default=5000, metavar="N")
    new.add_argument("--train-on", type=int, default=60, metavar="N", help="images of each label (default 60)")
    return new


def _lay_out(options: argparse.Namespace) -> list[str]:
    """Copies of the images, which some step changes, each under its own name; and a folder to train on."""
    names: list[str] = []
    for root in options.images:
        for number, name in enumerate(photo_names(root)):
            if len(names) >= options.count:
                break
            target = f"{root.name}-{number}{Path(name).suffix}"
            shutil.copyfile(root / name, FOLDER / "files" / target)
            names.append(target)
    labels = [path for root in options.images for path in sorted(root.iterdir()) if path.is_dir()]
    for label in labels:
        (FOLDER / "train" / label.name).mkdir(parents=True)
        for path in sorted(label.iterdir())[: options.train_on]:
            (FOLDER / "train" / label.name / path.name).symlink_to(path.resolve())
    return names


def _train(options: argparse.Namespace) -> None:
    """A package for each of HEADS, and its task."""
    for head in HEADS:
        base, _, seed = head.partition("_")
        architecture, alpha = BASES[base]
        recipe = FOLDER / f"{head}_fit.toml"
        recipe.write_text(RECIPE.format(architecture=architecture, alpha=alpha, seed=seed), encoding="utf-8")
        weights = options.weights if base == "one" else options.other_weights
        command = [sys.executable, "-m", "train", "fit", str(recipe), "--data", str(FOLDER / "train")]
        command += ["--out", str(FOLDER / "models" / head), "--weights", str(weights.resolve())]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        package = FOLDER / "models" / head / "001/package"
        for name in (head, "same") if head == "one_0" else (head,):
            (FOLDER / f"{name}.toml").write_text(TASK.format(name=name, package=package), encoding="utf-8")


def _change(names: Sequence[str]) -> None:
    """Give some images other bytes, of the same picture."""
    for name in names[:CHANGED]:
        with (FOLDER / "files" / name).open("ab") as file:
            file.write(b"\0")


def _measured(step: Step, server: Server) -> dict[str, Any]:
    settings = FOLDER / "settings.toml"
    settings.write_text(f"fetch.allow_private_hosts = true\n[reuse]\n{step.reuse}", encoding="utf-8")
    before = server.requests()
    command = [str(ROOT / "spark-submit.sh"), "--master", "local[2]", str(ROOT / "jobs/tag_bundles.py"), "--bundle"]
    command += [str(FOLDER / step.bundle), "--task", *(str(FOLDER / f"{name}.toml") for name in step.tasks)]
    command += ["--output", str(FOLDER / step.output), "--config", str(settings), "--quiet", "--json", *step.options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {step.name}: {done.stderr.strip().splitlines()[-1]}")
    summary = json.loads(done.stdout)
    work = summary["work"]
    return {
        "step": step.name,
        "rows": {name: rows for name, rows in work["rows"].items() if rows},
        "waves_s": work["waves_s"],
        "seconds": summary["seconds"],
        "requests": server.requests() - before,
        "not_modified": work["not_modified"],
        "scores": work["scores"],
        "bytes_per_row": work["bytes_per_row"],
        "stage_s": work["stage_s"],
        "ok": summary["ok"],
    }


def line(figure: dict[str, Any]) -> str:
    """A step for people."""
    return (
        f"{figure['step']:<34} {figure['waves_s']:>8.1f} s  {figure['requests']:>6,} requests  "
        f"{figure['scores']:>6,} scores  {figure['rows']}"
    )


def compared(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Ratios between the steps, and how alike the rungs score."""
    seconds = {figure["step"]: max(figure["waves_s"], 1e-3) for figure in figures}
    plain = (seconds["plain run, nothing kept"] + seconds["plain run again"]) / 2
    return {
        "features_kept": seconds["features kept"] / plain,
        "pixels_kept": seconds["pixels kept"] / plain,
        "from_features": plain / seconds["new package, same base"],
        "from_pixels": seconds["new package, other base, fetched"] / seconds["new package, other base"],
        "four_tasks": seconds["four tasks on one base"] / plain,
        **agreement(FOLDER / "kept", FOLDER / "fetched"),
    }


def agreement(ours: Path, theirs: Path) -> dict[str, float]:
    """How alike one model scores kept copies and fetched images: labels that agree, largest gap of a probability."""
    tables = [pq.read_table(path / "scores").to_pylist() for path in (ours, theirs)]
    version = tables[1][0]["model_version"]
    raw = [{row["content_sha256"]: row["scores"] for row in rows if row["model_version"] == version} for rows in tables]
    both = sorted(raw[0].keys() & raw[1].keys())
    one, two = (np.array([scores[content] for content in both]) for scores in raw)
    chances = [np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) for logits in (one, two)]
    same = one.argmax(axis=1) == two.argmax(axis=1)
    return {"labels_agree": float(same.mean()), "largest_difference": float(np.abs(chances[0] - chances[1]).max())}


def verdicts(document: dict[str, Any]) -> list[str]:
    """The ratios for people."""
    return [
        f"keeping features: {document['features_kept']:.3f} of the plain run's seconds; "
        f"pixels: {document['pixels_kept']:.3f}",
        f"from features: {document['from_features']:.0f} times as quick as the plain run",
        f"from pixels: {document['from_pixels']:.2f} times as quick as fetching",
        f"four tasks on one base: {document['four_tasks']:.2f} of one task's seconds",
        f"pixels against fetching: {document['labels_agree']:.2%} of the labels agree; largest difference of a "
        f"probability {document['largest_difference']:.3f}",
    ]


if __name__ == "__main__":
    main()
