"""The files views.DIALECT.sql of an output directory, written anew by every run."""

from eoltag.spark.tables.output import Output
from eoltag.views.dialects import DIALECTS
from eoltag.views.write import file_name, view_files


def refresh_views(output: Output) -> None:
    """Write the views over what lies in the output directory now."""

    def names(folder: str) -> list[str]:
        return [name for name in output.files.names(output.path(folder)) if not name.startswith(("_", "."))]

    found = view_files(output.root.rstrip("/"), names, lambda name: output.files.read_text(output.path(name)))
    for name, text in found.items():
        output.files.write_text(output.path(name), text)


def has_views(output: Output) -> bool:
    """Whether the files are there."""
    return all(output.files.exists(output.path(file_name(dialect.name))) for dialect in DIALECTS)
