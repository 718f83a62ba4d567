"""The two dialects that views are written in, and what they say differently."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from eoltag.model.outputs import OUTPUTS
from eoltag.model.record import ModelRecord

DialectName = Literal["duckdb", "spark"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of them."""

    name: DialectName

    @property
    def settings(self) -> list[str]:
        """Statements to begin with: names of folders such as bundle=000001 are texts, whatever they look like."""
        inferred = "spark.sql.sources.partitionColumnTypeInference.enabled"
        return [f"SET {inferred} = false;"] if self.name == "spark" else []

    def file_view(self, name: str, folder: str, depth: int) -> str:
        """A view over the Parquet files so many folders below `folder`, the columns of any of them together."""
        if self.name == "spark":
            options = f"path {self.text(folder)}, mergeSchema 'true'"
            return f"CREATE OR REPLACE TEMPORARY VIEW {name} USING parquet OPTIONS ({options});"
        files = f"{folder}/{'*/' * depth}*.parquet"
        options = "union_by_name = true, hive_partitioning = true, hive_types_autocast = false"
        return f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet({self.text(files)}, {options});"

    def document_view(self, name: str, folder: str, columns: Mapping[str, str]) -> str:
        """A view over the JSON documents in `folder`, one row each. columns: key to type, as Spark writes it."""
        if self.name == "spark":
            listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            options = f"path {self.text(folder)}, multiLine 'true', pathGlobFilter '*.json'"
            return f"CREATE OR REPLACE TEMPORARY VIEW {name} ({listed}) USING json OPTIONS ({options});"
        listed = ", ".join(f"{column}: {self.text(_duckdb_type(kind))}" for column, kind in columns.items())
        options = f"columns = {{{listed}}}, format = 'unstructured'"
        return f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_json({self.text(f'{folder}/*.json')}, {options});"

    def view(self, name: str, query: str) -> str:
        """A view of a query."""
        kind = "TEMPORARY VIEW" if self.name == "spark" else "VIEW"
        return f"CREATE OR REPLACE {kind} {name} AS\n{query};"

    def text(self, text: str) -> str:
        """A literal."""
        is_spark = self.name == "spark"
        escaped = text.replace("\\", "\\\\").replace("'", "\\'") if is_spark else text.replace("'", "''")
        return f"'{escaped}'"

    def texts(self, texts: Sequence[str]) -> str:
        """An array of literals."""
        listed = ", ".join(self.text(text) for text in texts)
        return f"array({listed})" if self.name == "spark" else f"[{listed}]"

    def verdict(self, record: ModelRecord, raw: str) -> dict[str, str]:
        """label, confidence, logit, scores and logits of a model, from its raw numbers."""
        kind = OUTPUTS[record.output_kind]
        sql, as_map = (kind.spark, "map_from_arrays") if self.name == "spark" else (kind.duckdb, "map")
        labels = self.texts(record.labels)
        found = sql.filled(raw, labels, f"CAST({record.temperature!r} AS DOUBLE)")
        return {**found, "logits": f"{as_map}({labels}, {raw})"}


def _duckdb_type(kind: str) -> str:
    """A type as Spark writes it, as DuckDB does."""
    for mine, other in (("STRUCT<", "STRUCT("), ("MAP<", "MAP("), (">", ")"), ("STRING", "VARCHAR"), (": ", " ")):
        kind = kind.replace(mine, other)
    return kind


DIALECTS: tuple[Dialect, ...] = (Dialect("duckdb"), Dialect("spark"))
