"""The known table writers. To add one, write its file here and name it in WRITERS."""

from typing import Final

from eoltag.decide.task import Task
from eoltag.errors import TaskError
from eoltag.spark.tables.writers import delta, json_lines, tsv
from eoltag.spark.tables.writers.writer import TableWriter

WRITERS: Final[list[TableWriter]] = [tsv.WRITER, json_lines.WRITER]


def writers_of(task: Task) -> list[TableWriter]:
    """Those that the task names in `formats`, of lines of text. Raises TaskError for a format that is not known."""
    known = {writer.name: writer for writer in WRITERS}
    unknown = [name for name in task.file.formats if name not in (*known, delta.NAME)]
    if unknown:
        listed = ", ".join((*known, delta.NAME))
        raise TaskError(f"{task.path}: formats: wanted some of {listed}. Received: {unknown[0]!r}")
    return [known[name] for name in dict.fromkeys(task.file.formats) if name in known]
