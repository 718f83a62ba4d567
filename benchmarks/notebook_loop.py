"""The loop of EOL's notebooks, as a process of its own: python -m benchmarks.notebook_loop MODEL URLS.json CACHE.

Prints images per second, without the import and the model load.
"""

import contextlib
import json
import sys
import time
from pathlib import Path


def main() -> None:
    """get_file, load_img, predict, one image at a time."""
    import keras
    import numpy as np

    model_path, listing, cache = sys.argv[1:]
    model = keras.saving.load_model(model_path, compile=False)
    urls = json.loads(Path(listing).read_text())
    side_px = model.input_shape[1]
    model.predict(np.zeros((1, side_px, side_px, 3), np.uint8), verbose=0)
    started = time.monotonic()
    for number, url in enumerate(urls):
        with contextlib.redirect_stdout(sys.stderr):
            path = keras.utils.get_file(f"{number}.jpg", url, cache_dir=cache)
        image = keras.utils.load_img(path, target_size=(side_px, side_px))
        model.predict(np.asarray(image)[np.newaxis], batch_size=1, verbose=0)
    print(len(urls) / (time.monotonic() - started))


if __name__ == "__main__":
    main()
