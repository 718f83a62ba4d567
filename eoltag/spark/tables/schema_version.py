"""The file _schema.json says which version of the tables a directory holds; a directory of another one is refused."""

import json
from typing import Final

from eoltag.errors import OutputError
from eoltag.spark.tables.files import Files
from eoltag.spark.tables.schemas import SCHEMA_VERSION

SCHEMA_FILE: Final = "_schema.json"


def check_schema_version(files: Files, root: str) -> None:
    """Raises OutputError for a directory that another version of eoltag, or something else, has filled."""
    file = f"{root}/{SCHEMA_FILE}"
    try:
        if not files.exists(file):
            if any(files.exists(f"{root}/{table}") for table in ("images", "tags")):
                raise OutputError(f"{root}: holds tables but no {SCHEMA_FILE}, so it was not written by this eoltag")
            return
        came = json.loads(files.read_text(file)).get("schema_version")
    except OSError as problem:
        raise OutputError(f"{root}: cannot be used ({problem})") from problem
    except (ValueError, AttributeError) as problem:
        raise OutputError(f"{file}: not readable as JSON ({problem})") from problem
    if came != SCHEMA_VERSION:
        raise OutputError(f"{root}: wanted an output directory of schema version {SCHEMA_VERSION}. Received: {came!r}")


def write_schema_version(files: Files, root: str) -> None:
    """Mark a new directory as one of this version. Raises OSError."""
    file = f"{root}/{SCHEMA_FILE}"
    if not files.exists(file):
        files.write_text(file, json.dumps({"schema_version": SCHEMA_VERSION}) + "\n")
