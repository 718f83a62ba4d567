"""The models that an output directory knows, models/VERSION.json."""

from collections.abc import Iterable
from typing import Final

from eoltag.model.package import Package
from eoltag.model.record import ModelRecord
from eoltag.spark.tables.output import Output

FOLDER: Final = "models"


def record_models(output: Output, packages: Iterable[Package]) -> None:
    """Write the records that are missing."""
    known = set(output.files.names(output.path(FOLDER)))
    for package in packages:
        name = f"{package.version}.json"
        if name not in known:
            record = ModelRecord.of(package.version, package.card)
            output.files.write_text(output.path(FOLDER, name), record.as_json())


def read_models(output: Output) -> dict[str, ModelRecord]:
    """Model version -> its record."""
    names = [name for name in output.files.names(output.path(FOLDER)) if name.endswith(".json")]
    records = [ModelRecord.from_json(output.files.read_text(output.path(FOLDER, name))) for name in names]
    return {record.model_version: record for record in records}
