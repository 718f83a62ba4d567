"""Arm B: img2dataset downloads to files, then Keras `predict(batch_size=32)` reads them.

img2dataset runs in its own environment (`--downloader`, its program) with one process a core and 32 threads each, no
re-encoding, resizing, hashes or EXIF: what its documentation offers to whoever only wants the files. Keras then reads
the originals in threads (PyDataset), so that the pixels are those of the other arms.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.arms.command import BATCH, CORES, Job, parser, read_job

OPTIONS: Final = {
    "output_format": "files",
    "resize_mode": "no",
    "disable_all_reencoding": "True",
    "extract_exif": "False",
    "compute_hash": "None",
    "processes_count": str(CORES),
    "thread_count": "32",
    "number_sample_per_shard": "1000",
    "timeout": "30",
}


def main() -> None:
    """Download everything, then predict everything; both are the work."""
    options = parser(__doc__)
    options.add_argument("--downloader", type=Path, required=True, help="the program img2dataset of its environment")
    arguments = options.parse_args()
    job = read_job(arguments, "keras", "tensorflow-cpu", img2dataset=OPTIONS, predict_batch_size=BATCH)
    with tempfile.TemporaryDirectory() as folder, job.work():
        paths = _download(arguments.downloader, arguments.urls, Path(folder) / "images")
        found = _predict(job, list(paths.values()))
        labels = dict(zip(paths, found, strict=True))
        job.write((url, labels.get(url)) for url in job.urls)


def _download(program: Path, urls: Path, folder: Path) -> dict[str, Path]:
    """URL -> file of everything that came."""
    command = [str(program), f"--url_list={urls}", f"--output_folder={folder}", "--input_format=txt"]
    command += [f"--{name}={value}" for name, value in OPTIONS.items()]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env={**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"})
    paths = {}
    for description in sorted(folder.glob("*/*.json")):
        content = json.loads(description.read_text())
        image = description.with_suffix(".jpg")
        if content["status"] == "success" and image.is_file():
            paths[content["url"]] = image
    return paths


def _predict(job: Job, paths: list[Path]) -> list[str | None]:
    """Labels in the order of the files; None for those that cannot be read."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np

    from benchmarks.arms.runtime import picture

    unreadable: set[int] = set()

    class Pictures(keras.utils.PyDataset):  # type: ignore[misc]
        """Batches of 32, read in as many threads as there are cores."""

        def __init__(self) -> None:
            super().__init__(workers=CORES, use_multiprocessing=False, max_queue_size=4)

        def __len__(self) -> int:
            return -(-len(paths) // BATCH)

        def __getitem__(self, at: int) -> tuple[Any]:
            first = at * BATCH
            chosen = range(first, min(first + BATCH, len(paths)))
            return (np.stack([read(number) for number in chosen]),)

    def read(number: int) -> Any:
        try:
            return picture(paths[number].read_bytes(), job.side_px)
        except Exception:  # whatever the reader raises
            unreadable.add(number)
            return np.zeros((job.side_px, job.side_px, 3), np.uint8)

    model = keras.saving.load_model(job.keras_file, compile=False)
    best = model.predict(Pictures(), verbose=0).argmax(axis=1)
    return [None if number in unreadable else job.labels[int(at)] for number, at in enumerate(best)]


if __name__ == "__main__":
    main()
