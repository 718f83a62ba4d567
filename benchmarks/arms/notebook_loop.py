"""Arm A, the loop of EOL's notebooks: get_file, load_img, predict, one image after the other.

Differs from them in one thing: the bilinear filter in place of load_img's nearest neighbour, as in all other arms.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.arms.command import Job, parser, read_job


def main() -> None:
    """Load the model, then time the loop."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import numpy as np

    job = read_job(parser(__doc__).parse_args(), "keras", "tensorflow-cpu", batch_size=1)
    model = keras.saving.load_model(job.keras_file, compile=False)
    model.predict(np.zeros((1, job.side_px, job.side_px, 3), np.uint8), verbose=0)
    with tempfile.TemporaryDirectory() as cache, job.work():
        job.write(_labels(job, model, Path(cache)))


def _labels(job: Job, model: object, cache: Path) -> Iterator[tuple[str, str | None]]:
    import keras
    import numpy as np

    for number, url in enumerate(job.urls):
        try:
            with contextlib.redirect_stdout(sys.stderr):
                path = keras.utils.get_file(f"{number}.jpg", url, cache_dir=cache)
            image = keras.utils.load_img(path, target_size=(job.side_px, job.side_px), interpolation="bilinear")
        except Exception:  # whatever it is: a notebook's user would skip the image
            yield url, None
            continue
        scores = model.predict(np.asarray(image)[np.newaxis], batch_size=1, verbose=0)  # type: ignore[attr-defined]
        yield url, job.labels[int(scores[0].argmax())]


if __name__ == "__main__":
    main()
