"""A comparison as a table: for the terminal, as Markdown, as a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from train.compare.run import Contender
from train.report.pages import report_folder, write_json, write_page

MARKER: Final = "compare.json"
MARKDOWN: Final = "compare.md"
DASH: Final = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; left out where no row has a value."""

    title: str
    values: Sequence[Any]
    """One for each row; None where it is not known."""
    form: str = "{}"
    best: Callable[[Sequence[Any]], Any] | None = None
    """max or min; None where no value is better than another."""
    is_text: bool = False

    @property
    def cells(self) -> list[str]:
        """The values as text."""
        return [DASH if value is None else self.form.format(value) for value in self.values]

    @property
    def is_best(self) -> list[bool]:
        """Whether each value is the best; the only one, or one like all others, is not called so."""
        known = [value for value in self.values if value is not None]
        best = self.best(known) if self.best and len(set(known)) > 1 else None
        return [value is not None and value == best for value in self.values]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text, and which of them is the best of its column."""

    titles: list[str]
    rows: list[list[str]]
    best: list[list[bool]]
    is_text: list[bool]


def make_table(rows: Sequence[Contender]) -> Table:
    """Only columns in which something is known; notes stand below a table, see notes()."""
    columns = [column for column in _columns(rows) if any(value is not None for value in column.values)]
    cells = [list(line) for line in zip(*[column.cells for column in columns], strict=True)]
    best = [list(line) for line in zip(*[column.is_best for column in columns], strict=True)]
    return Table([column.title for column in columns], cells, best, [column.is_text for column in columns])


def notes(rows: Sequence[Contender]) -> list[str]:
    """What a reader must know, by model."""
    return [f"{row.path}: {row.note}" for row in rows if row.note]


def terminal(table: Table) -> str:
    """Aligned columns, the best of each marked by a star."""
    lines = [table.titles]
    for cells, best in zip(table.rows, table.best, strict=True):
        lines.append([f"{cell}*" if is_best else cell for cell, is_best in zip(cells, best, strict=True)])
    widths = [max(len(line[at]) for line in lines) for at in range(len(table.titles))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if is_text else cell.rjust(width)
            for cell, width, is_text in zip(line, widths, table.is_text, strict=True)
        ).rstrip()
        for line in lines
    )


def markdown(table: Table) -> str:
    """The same, the best of each column in bold."""
    lines = [table.titles, [":---" if is_text else "---:" for is_text in table.is_text]]
    for cells, best in zip(table.rows, table.best, strict=True):
        escaped = [_escaped(cell) for cell in cells]
        lines.append([f"**{cell}**" if is_best else cell for cell, is_best in zip(escaped, best, strict=True)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write_report(document: dict[str, Any], rows: Sequence[Contender], out: Path, *, overwrite: bool) -> None:
    """index.html, compare.md, compare.json. Raises OutputError."""
    table, below = make_table(rows), notes(rows)
    listed = "".join(f"- {_escaped(note)}\n" for note in below)
    with report_folder(out, MARKER, overwrite=overwrite) as folder:
        write_json(folder / MARKER, document)
        (folder / MARKDOWN).write_text(f"{markdown(table)}\n{listed}".rstrip() + "\n", encoding="utf-8")
        write_page(folder, "compare.html.j2", found=document, table=table, notes=below)


def _columns(rows: Sequence[Contender]) -> list[Column]:
    engines = sorted({engine for row in rows for engine in (*row.images_per_s, *row.size_mb)}, reverse=True)
    fastest = max((speed for row in rows for speed in row.images_per_s.values()), default=0.0)

    def of(title: str, name: str, form: str = "{}", best: Callable[..., Any] | None = None) -> Column:
        return Column(title, [getattr(row, name) for row in rows], form, best)

    found = [
        replace(of("model", "path"), is_text=True),
        replace(of("architecture", "architecture"), is_text=True),
        of("labels", "labels"),
        of("px", "image_size_px"),
        of("accuracy", "accuracy", "{:.4f}", max),
        of("95 %", "accuracy_interval", "{0[0]:.3f} to {0[1]:.3f}"),
        of("macro F1", "macro_f1", "{:.4f}", max),
        of("AP", "average_precision", "{:.4f}", max),
        of("seen", "in_training"),
        of("val. accuracy", "val_accuracy", "{:.4f}", max),
        of("val. macro F1", "val_macro_f1", "{:.4f}", max),
        of("parameters", "parameters", "{:,}", min),
    ]
    found += [Column(f"MB {name}", [row.size_mb.get(name) for row in rows], "{:.1f}", min) for name in engines]
    found += [
        of("epochs", "epochs"),
        Column("s/epoch", [_phases(row) for row in rows]),
        of("peak MB", "peak_memory_mb", "{:,.0f}", min),
    ]
    for engine in engines:
        speeds = [row.images_per_s.get(engine) for row in rows]
        found.append(Column(f"img/s {engine}", speeds, "{:,.0f}", max))
        found.append(Column(f"× {engine}", [None if speed is None else speed / fastest for speed in speeds], "{:.2f}"))
    return found


def _phases(row: Contender) -> str | None:
    return ", ".join(f"{phase} {seconds:.2f}".strip() for phase, seconds in row.seconds_per_epoch.items()) or None


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
