"""`python -m train serve PACKAGE`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from eoltag.errors import SettingsError
from eoltag.places import install_command
from train.cli import Answer, Verb

TEACHING: Final = """\
POST /classify takes images in the multipart field img, or image, and answers {"predictions": [{"label",
"probability"}, ...], "success": true}, best label first; several images get a list of results. A model of several
labels an image adds what it shows, as "labels", and "shown" to each prediction: from the label's threshold on the card
on, else from a probability of 0.5. / is a page to drop pictures on; /health, /metrics and /openapi.json are for
machines. Images of all requests are decoded, batched and scored together, as the Spark job would. What is over a limit
or no image is answered with 4xx and a line that says why; a full queue with 503.

Only this machine is let in unless --host says otherwise: there is no password and no encryption, so put a proxy that
has both before it. URLs are never fetched for a client: send the bytes. SIGTERM and Ctrl-C finish what is in flight.

examples:
  python -m train serve artifacts/demo_model
  python -m train serve artifacts/demo_model --host 0.0.0.0 --port 8080 --max-images 8
  curl -F img=@photo.jpg 'http://127.0.0.1:5000/classify?top=3'
"""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "package", type=Path, metavar="PACKAGE", help="model package, or the folder that `fit` wrote it to"
    )
    parser.add_argument("--host", metavar="HOST", help="address to listen on (default 127.0.0.1: only this machine)")
    parser.add_argument("--port", type=int, metavar="N", help="port; 0 takes any that is free (default 5000)")
    parser.add_argument("--engine", choices=("auto", "openvino", "keras"), help="what runs the model (default auto)")
    numbers = (
        ("--batch-size", "N", "images in one call of the model, at most (default 8)"),
        ("--queue-images", "N", "images not answered yet; above it 503 (default 256)"),
        ("--max-images", "N", "images in one request (default 32)"),
        ("--max-bytes", "N", "of one image file (default 20000000)"),
        ("--max-request-bytes", "N", "of one request (default 100000000)"),
        ("--max-held-bytes", "N", "of all requests not answered yet; above it 503 (default 400000000)"),
        ("--max-pixels", "N", "width times height of one image (default 50000000)"),
    )
    for name, value, about in numbers:
        parser.add_argument(name, type=int, metavar=value, help=about)
    parser.add_argument(
        "--cors-origins", nargs="+", metavar="ORIGIN", help="pages that may ask from a browser, or * (default none)"
    )
    parser.add_argument("--wait-ms", type=float, metavar="MS", help="longest wait for others to batch with (default 0)")
    parser.add_argument("--decode-s", type=float, metavar="S", help="for decoding one image (default 5)")
    parser.add_argument(
        "--deadline-s",
        type=float,
        metavar="S",
        help="for a body to arrive, for its images to be classified, and to finish when stopped (default 30)",
    )


def _run(options: Namespace) -> Answer:
    from eoltag.settings import parse
    from train.fit.attempts import find_package
    from train.serving.settings import ServeSettings

    given = {name: getattr(options, name) for name in ServeSettings.model_fields}
    settings = parse(ServeSettings, {name: value for name, value in given.items() if value is not None}, "command line")
    package = find_package(options.package)
    try:
        from train.serving.server import serve
    except ImportError as problem:
        raise SettingsError(f"this needs a web server: {install_command('serve')} ({problem})") from problem
    served = serve(package, settings).metrics
    summary = {"package": str(package.path), "model_version": package.version}
    counts = {"requests": served.requests, "images": served.images}
    return Answer({**summary, **counts}, f"stopped after {served.requests} requests, {served.images} images")


VERB: Final = Verb("serve a model package over HTTP, with a page to drop pictures on", TEACHING, _arguments, _run)
