"""One request at a time, Keras' predict for each image: python -m benchmarks.naive_server PACKAGE.

What serving looked like in the toolkits that eoltag replaces: read the file, resize it, predict, sort nothing out.
"""

import io
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from python_multipart import parse_form
from python_multipart.multipart import File

from benchmarks.models import LABELS


def main() -> None:
    """Serves until it is stopped."""
    import keras
    import numpy as np

    model = keras.saving.load_model(Path(sys.argv[1]) / "model.keras", compile=False)
    side_px = model.input_shape[1]

    def probabilities(data: bytes) -> list[float]:
        image = keras.utils.load_img(io.BytesIO(data), target_size=(side_px, side_px))
        (logits,) = model.predict(np.asarray(image)[np.newaxis], batch_size=1, verbose=0)
        powers = np.exp(logits - logits.max())
        shares: list[float] = (powers / powers.sum()).tolist()
        return shares

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:  # the library's name
            files: list[bytes] = []
            headers: Any = {name: value.encode() for name, value in self.headers.items()}
            parse_form(headers, self.rfile, None, lambda file: files.append(_content(file)))
            shares = zip(LABELS, probabilities(files[0]), strict=True)
            predictions = [{"label": label, "probability": share} for label, share in shares]
            body = json.dumps({"predictions": predictions, "success": True}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()


def _content(file: File) -> bytes:
    file.file_object.seek(0)
    return file.file_object.read()


if __name__ == "__main__":
    main()
