"""The files views.DIALECT.sql of an output directory, written anew by every run."""

from eoltag.spark.tables.output import Output
from eoltag.views.write import view_files


def refresh_views(output: Output) -> None:
    """Write the views over what lies in the output directory now."""

    def names(folder: str) -> list[str]:
        return [name for name in output.files.names(output.path(folder)) if not name.startswith(("_", "."))]

    found = view_files(output.root.rstrip("/"), names, lambda name: output.files.read_text(output.path(name)))
    for name, text in found.items():
        output.files.write_text(output.path(name), text)
