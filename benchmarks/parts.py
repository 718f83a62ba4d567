"""What an image costs in each part alone, in one process on one core, and the bound these costs give.

    make bench-parts [ARGS="--images PHOTOS --count 1000 --runs 3"]

fetch: eoltag's own fetching of 64 images at a time, nothing else done with them. decode: bytes in memory to pixels,
with the hash that the job stores. infer: full batches, one thread. rows: a worker's answers and scores as Arrow
(beside the bound, not in it). Each is CPU time of the process, all its threads, so a colleague on the machine disturbs
it little. The bound is cores / (fetch + decode + infer): what a run could reach if nothing else cost anything. The web
server's CPU time is given beside it: on loopback it works on the same cores. Figures go to build/bench/parts.json,
which benchmarks.sizing reads.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.arms.command import CORES
from benchmarks.photos import drawn_pictures, model_package, photo_names, url_list
from benchmarks.results import spread
from benchmarks.server import ROOT, served
from benchmarks.throughput import BUILD, machine
from eoltag.fetch.read_ahead import fetch_ahead
from eoltag.image.decode import decode
from eoltag.model.card import EngineName, PrecisionChoice
from eoltag.model.engines import best_batch_size, load_engine
from eoltag.model.package import Package, read_package, unpack
from eoltag.pipeline.rows import ImageRow, Row, ScoreRow
from eoltag.records import FetchRequest, WantedImage
from eoltag.settings import Settings

PARTS: Final = ("fetch", "decode", "infer")
"""They make the bound."""
BESIDE: Final = ("rows",)
"""What a Spark task does for an image besides: its rows as Arrow."""
_WORKER_VARIABLE: Final = "spark.executorEnv."
WARM_UP: Final = 0.1
"""Share of the images that is worked on before the clock starts."""


def main() -> None:
    """Each part in a process of its own, in turns; then the bound."""
    options = parser().parse_args()
    if options.part:
        print(json.dumps(_PARTS[options.part](options)))
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    drawn = drawn_pictures(BUILD / "samples")
    options.images = options.images or drawn
    options.package = options.package or model_package(BUILD / "mobilenet_v2")
    found = [_in_process(part, options) for _ in range(options.runs) for part in (*PARTS, *BESIDE)]
    document = summary(found, CORES)
    document |= {
        "machine": machine(),
        "images": options.images.name,
        "count": options.count,
        "engine": options.engine,
        "precision": options.precision,
    }
    (BUILD / "parts.json").write_text(json.dumps(document, indent=2) + "\n")
    print(text(document))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="make bench-parts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    new.add_argument("--images", type=Path, metavar="DIR", help="photos; default: pictures drawn here")
    new.add_argument("--package", type=Path, metavar="DIR", help="model package; default: MobileNetV2 made here")
    new.add_argument("--engine", choices=("openvino", "keras"), default="openvino")
    new.add_argument("--precision", choices=("auto", "f32", "bf16", "int8"), default="f32")
    new.add_argument("--count", type=int, default=1000, metavar="N", help="images for each part (default 1000)")
    new.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each part (default 3)")
    new.add_argument("--part", choices=(*PARTS, *BESIDE), help=argparse.SUPPRESS)
    return new


def summary(found: list[dict[str, Any]], cores: int) -> dict[str, Any]:
    """Medians and ranges in seconds an image, and the bound in images a second. Pure arithmetic."""
    parts = {}
    for part in (*PARTS, *BESIDE):
        cost = spread(run["cpu_s"] for run in found if run["part"] == part)
        if cost is not None:
            parts[part] = {"cpu_s_per_image": cost.median, "low": cost.low, "high": cost.high}
    server = spread(run.get("server_cpu_s") for run in found)
    server_cpu_s = server.median if server else 0.0
    total_s = sum(parts[part]["cpu_s_per_image"] for part in PARTS)
    return {
        "parts": parts,
        "server_cpu_s_per_image": server_cpu_s,
        "cpu_s_per_image": total_s,
        "cores": cores,
        "bound_images_per_s": cores / total_s,
        "bound_with_server_images_per_s": cores / (total_s + server_cpu_s),
    }


def text(document: Mapping[str, Any]) -> str:
    """For people."""
    lines = [f"{'part':<10}{'CPU ms an image':>18}{'range':>20}"]
    for part, cost in document["parts"].items():
        low, middle, high = (1000 * cost[key] for key in ("low", "cpu_s_per_image", "high"))
        lines.append(f"{part:<10}{middle:>18.3f}{f'{low:.3f} to {high:.3f}':>20}")
    lines.append(f"{'server':<10}{1000 * document['server_cpu_s_per_image']:>18.3f}")
    lines.append(f"bound: {document['bound_images_per_s']:.1f} images/s on {document['cores']} cores")
    lines.append(f"       {document['bound_with_server_images_per_s']:.1f} where the web server shares these cores")
    return "\n".join(lines)


def _in_process(part: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.parts", "--part", part, "--images", str(options.images)]
    command += ["--package", str(options.package), "--engine", options.engine, "--precision", options.precision]
    command += ["--count", str(options.count)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **worker_environment()}
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return {"part": part, **json.loads(done.stdout.splitlines()[-1])}


def worker_environment() -> dict[str, str]:
    """The variables that local runs give their workers, so that parts and whole are measured alike."""
    lines = (ROOT / "conf" / "spark" / "local.conf").read_text().splitlines()
    settings = (line.split(maxsplit=1) for line in lines if line.startswith(_WORKER_VARIABLE))
    return {key.removeprefix(_WORKER_VARIABLE): value.strip() for key, value in settings}


def fetch_part(folder: Path, count: int) -> dict[str, float]:
    """The server runs on the other cores, this process on the last one."""
    fetch = Settings().fetch.model_copy(update={"allow_private_hosts": True})
    run = Settings().run
    with served(folder) as server:
        pin()
        urls = url_list(photo_names(folder), server, count)
        server_before = server.cpu_s()
        images = fetch_ahead(
            urls,
            FetchRequest,
            fetch,
            rate_share=1.0,
            max_images=run.read_ahead_images,
            max_bytes=run.read_ahead_bytes,
        )
        cpu_s = cpu_s_per_item(_checked(images), len(urls))
        return {"cpu_s": cpu_s, "server_cpu_s": (server.cpu_s() - server_before) / len(urls)}


def _checked(images: Iterator[Any]) -> Iterator[None]:
    for url, fetched in images:
        assert fetched.data is not None, f"{url}: {fetched.outcome} {fetched.detail}"
        yield


def _decode(options: argparse.Namespace) -> dict[str, float]:
    pin()
    spec, limit = read_package(options.package).card.spec, Settings().decode.max_pixels
    names = photo_names(options.images)
    chosen = [(options.images / names[number % len(names)]).read_bytes() for number in range(options.count)]
    return {"cpu_s": cpu_s_per_item((decode(data, [spec], limit) for data in chosen), len(chosen))}


def infer_part(package: Package, engine_name: EngineName, precision: PrecisionChoice, count: int) -> dict[str, float]:
    """Full batches of random pictures, one thread."""
    pin()
    import numpy as np

    batch_size = best_batch_size(engine_name, Settings().engine.batch_size)
    engine = load_engine(
        engine_name,
        unpack(package.pack(engine_name, precision)),
        batch_size=batch_size,
        threads=1,
        keras_backend=Settings().engine.keras_backend,
        precision=precision,
    )
    spec = package.card.spec
    random = np.random.default_rng(0)
    batches = [random.integers(0, 256, (batch_size, spec.height, spec.width, 3), np.uint8) for _ in range(2)]
    batch_count = max(4, count // batch_size)
    cpu_s = cpu_s_per_item((engine.predict(batches[number % 2]) for number in range(batch_count)), batch_count)
    return {"cpu_s": cpu_s / batch_size}


def _rows(options: argparse.Namespace) -> dict[str, float]:
    """Batches of answers and scores as a worker hands them to Spark; the JVM's part is in `make bench-scale`."""
    pin()
    return {"cpu_s": cpu_s_per_item(_batches(options.count), options.count)}


def _batches(count: int) -> Iterator[None]:
    from eoltag.spark.predict.arrow_rows import Batches, as_columns

    batches = Batches()
    for number in range(count):
        for item, row in _answer(number):
            for _ in batches.add(as_columns(row, item)):
                pass
        yield


def _answer(number: int) -> Iterator[tuple[WantedImage | None, Row]]:
    """What a worker gives for one image and one model."""
    import numpy as np

    url, content, now = "http://127.0.0.1/0.jpg", f"{number:064x}", datetime.now(UTC)
    image = ImageRow(
        outcome="ok",
        detail=None,
        http_status=200,
        attempts=1,
        etag='"5f3a-61c"',
        last_modified=None,
        content_sha256=content,
        bytes=100_000,
        width=640,
        height=480,
        color_mode="RGB",
        perceptual_hash=f"{number:016x}",
        rendition=None,
        asked_at=now,
    )
    yield WantedImage(FetchRequest(url), carried=(url, ["7000000"])), image
    scores = np.array([0.1, 0.1, number % 7, 0.2, 0.1], np.float32)
    yield None, ScoreRow(content, "0123456789ab", "openvino", "f32", "fetch", scores, now)


def cpu_s_per_item(work: Iterator[object], count: int) -> float:
    """CPU seconds of this process for an item, after a warm-up that is not counted."""
    warm_up = max(1, int(WARM_UP * count))
    for _ in range(warm_up):
        next(work)
    started = time.process_time()
    counted = sum(1 for _ in work)
    assert counted == count - warm_up
    return (time.process_time() - started) / counted


def pin() -> None:
    """This process, and the threads it will start, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


_PARTS: Final[Mapping[str, Callable[[argparse.Namespace], dict[str, float]]]] = {
    "fetch": lambda options: fetch_part(options.images, options.count),
    "decode": _decode,
    "infer": lambda options: infer_part(
        read_package(options.package), options.engine, options.precision, options.count
    ),
    "rows": _rows,
}


if __name__ == "__main__":
    main()
