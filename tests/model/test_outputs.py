"""The output kinds: probabilities, verdicts, and the same in the SQL of DuckDB."""

import duckdb
import numpy as np
import pytest

from eoltag.model.outputs import OUTPUTS

LOGITS = np.array([[2.0, -1.0, 0.5], [-3.0, -2.0, -4.0], [800.0, -800.0, 0.0]], np.float32)
NAMES = ("flower", "fruit", "leaf")


def test_labels_are_each_by_itself() -> None:
    found = OUTPUTS["labels"].probabilities(LOGITS, 2.0)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.clip(LOGITS.astype(float) / 2, -700, 700))), atol=1e-7)
    first, second, _ = OUTPUTS["labels"].verdicts(LOGITS, NAMES, 2.0)
    assert (first.label, first.logit) == ("flower", 2.0)
    assert first.confidence == pytest.approx(1 / (1 + np.exp(-1)))
    assert max(second.scores.values()) < 0.5, "an image may show none of them"


@pytest.mark.parametrize("kind", OUTPUTS)
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_duckdb_computes_the_same(kind: str, temperature: float) -> None:
    sql = OUTPUTS[kind].duckdb.filled("raw", str(list(NAMES)), f"CAST({temperature!r} AS DOUBLE)")
    for verdict, row in zip(OUTPUTS[kind].verdicts(LOGITS, NAMES, temperature), LOGITS, strict=True):
        listed = ", ".join(sql.values())
        asked = duckdb.connect().execute(
            f"SELECT {listed} FROM (SELECT CAST($raw AS FLOAT[]) AS raw)", {"raw": row.tolist()}
        )
        ((label, confidence, logit, scores),) = asked.fetchall()
        assert (label, logit) == (verdict.label, verdict.logit)
        assert confidence == pytest.approx(verdict.confidence, abs=1e-6)
        assert scores == pytest.approx(verdict.scores, abs=1e-6)
