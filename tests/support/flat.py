"""The views over an output directory as a stranger reads them: through DuckDB, from the file that a run writes."""

from pathlib import Path
from typing import Any

import duckdb


def predictions(output: Path) -> list[dict[str, Any]]:
    """The rows of the view `predictions`: one for each image and model, one for each image that failed."""
    return query(output, "SELECT * FROM predictions ORDER BY eolMediaURL, dataObjectVersionID, model_version")


def query(output: Path, sql: str) -> list[dict[str, Any]]:
    """The answer of DuckDB to a question over all views."""
    with duckdb.connect() as connection:
        connection.execute((output / "views.duckdb.sql").read_text(encoding="utf-8"))
        found = connection.execute(sql)
        columns = [name for name, *_ in found.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
