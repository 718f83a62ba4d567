"""A comparison as a table: for the terminal, as Markdown, as a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    cell: Callable[[Contender], str | None]
    value: Callable[[Contender], float | None] | None = None
    """For telling the best; None where no value is better than another."""
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text, and which of them is the best of its column."""

    titles: list[str]
    rows: list[list[str]]
    best: list[list[bool]]
    is_text: list[bool]


def make_table(rows: Sequence[Contender]) -> Table:
    """Only columns in which something is known; notes stand below a table, see notes()."""
    columns = [column for column in _columns(rows) if any(column.cell(row) is not None for row in rows)]
    cells = [[column.cell(row) or DASH for column in columns] for row in rows]
    best = [[_is_best(column, row, rows) for column in columns] for row in rows]
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
    fastest = max((speed for row in rows for speed in row.images_per_s.values()), default=None)
    found: list[Column] = [
        Column("model", lambda row: row.path, is_text=True),
        Column("architecture", lambda row: row.architecture, is_text=True),
        _numbers("labels", lambda row: row.labels, "{:.0f}"),
        _numbers("px", lambda row: row.image_size_px, "{:.0f}"),
        _numbers("accuracy", lambda row: row.accuracy, "{:.4f}", best=1),
        Column(
            "95 %", lambda row: "{:.3f} to {:.3f}".format(*row.accuracy_interval) if row.accuracy_interval else None
        ),
        _numbers("macro F1", lambda row: row.macro_f1, "{:.4f}", best=1),
        _numbers("AP", lambda row: row.average_precision, "{:.4f}", best=1),
        _numbers("seen", lambda row: row.in_training, "{:.0f}"),
        _numbers("val. accuracy", lambda row: row.val_accuracy, "{:.4f}", best=1),
        _numbers("val. macro F1", lambda row: row.val_macro_f1, "{:.4f}", best=1),
        _numbers("parameters", lambda row: row.parameters, "{:,.0f}", best=-1),
    ]
    found += [_numbers(f"MB {engine}", _size_of(engine), "{:.1f}", best=-1) for engine in engines]
    found += [
        _numbers("epochs", lambda row: row.epochs, "{:.0f}"),
        Column("s/epoch", _phases),
        _numbers("peak MB", lambda row: row.peak_memory_mb, "{:,.0f}", best=-1),
    ]
    for engine in engines:
        speed = _speed_of(engine)
        found.append(_numbers(f"img/s {engine}", speed, "{:,.0f}", best=1))
        found.append(Column(f"× {engine}", _ratio(speed, fastest)))
    return found


def _numbers(title: str, value: Callable[[Contender], float | None], form: str, best: int = 0) -> Column:
    """best: 1 where more is better, -1 where less is, 0 where neither."""

    def cell(row: Contender) -> str | None:
        found = value(row)
        return None if found is None else form.format(found)

    def signed(row: Contender) -> float | None:
        found = value(row)
        return None if found is None else best * found

    return Column(title, cell, signed if best else None)


def _phases(row: Contender) -> str | None:
    cells = [f"{phase} {seconds:.2f}".strip() for phase, seconds in row.seconds_per_epoch.items()]
    return ", ".join(cells) or None


def _size_of(engine: str) -> Callable[[Contender], float | None]:
    return lambda row: row.size_mb.get(engine)


def _speed_of(engine: str) -> Callable[[Contender], float | None]:
    return lambda row: row.images_per_s.get(engine)


def _ratio(speed: Callable[[Contender], float | None], fastest: float | None) -> Callable[[Contender], str | None]:
    def cell(row: Contender) -> str | None:
        found = speed(row)
        return None if found is None or not fastest else f"{found / fastest:.2f}"

    return cell


def _is_best(column: Column, row: Contender, rows: Sequence[Contender]) -> bool:
    """The only row, or one like all others, is not called the best."""
    if column.value is None:
        return False
    values = [value for one in rows if (value := column.value(one)) is not None]
    mine = column.value(row)
    return mine is not None and mine == max(values) and min(values) < max(values)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
