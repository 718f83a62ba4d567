"""Letters that a terminal cannot show end nothing."""

import os
import subprocess
import sys

from tests.support.paths import ROOT

PRINTED = """
import sys
from eoltag.local.streams import print_anything
print_anything()
print("v\\u00f6gel \\u9e1f")
print("v\\u00f6gel", file=sys.stderr)
"""


def test_letters_that_stdout_cannot_write_come_as_their_numbers() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", PRINTED], env=environment, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"v\\xf6gel \\u9e1f\n", b"v\\xf6gel\n")
