"""What the reader of rules takes and what Spark takes: the same grammar, understood alike."""

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from eoltag.decide.expressions import RuleDialect, read
from eoltag.decide.functions import ALLOWED, WHY_NOT
from eoltag.spark.decide.rules import _decision_input, with_facts
from tests.support.tables import bundle_rows, facts, task

pytestmark = pytest.mark.spark

A, B = "https://eol.org/a.jpg", "https://eol.org/b.jpg"
COLUMNS: Final = ("ancestry", "label", "confidence", "logit", "width", "scores", "fetched_at")


def written(*shapes: str) -> st.SearchStrategy[str]:
    """Expressions of these shapes: B, N and T in them stand for a condition, a number and a text."""
    parts = {"B": st.deferred(lambda: conditions), "N": st.deferred(lambda: numbers), "T": st.deferred(lambda: texts)}

    def filled(shape: str) -> st.SearchStrategy[str]:
        words = [parts[word] if word in parts else st.just(word) for word in shape.split(" ")]
        return st.tuples(*words).map(" ".join)

    return st.one_of(*map(filled, shapes))


texts = st.one_of(
    st.sampled_from(["label", "ancestry", "`label`", "'bad'", '"good"', "'it\\'s -- so'", r"r'a\'", "'a\\tb'", "NULL"]),
    written("lower( T )", "trim( BOTH 'b' FROM T )", "concat( T , T )", "T || T", "substring( T , 2 , 1 )"),
    written(
        "coalesce( T , T )", "CASE WHEN B THEN T ELSE T END", "CAST( N AS STRING )", "regexp_replace( T , '[ab]+' , T )"
    ),
)
numbers = st.one_of(
    st.sampled_from(["confidence", "logit", "width", "0.5", "1.5F", "-2", "1e3", "2.5BD", "7L", "scores['bad']"]),
    written(
        "abs( N )", "( N + N )", "N - N", "- N", "round( N , 1 )", "length( T )", "greatest( N , N )", "if( B , N , N )"
    ),
    st.sampled_from(["year( fetched_at )", "element_at( scores , 'good' )", "size( split( ancestry , '[|]' ) )"]),
)
conditions = st.one_of(
    st.sampled_from(["true", "label = 'bad'", "logit > 1.5F", "fetched_at > '2026-01-01'"]),
    written("N < N", "N >= N", "T = T", "T <=> T", "T <> T", "T IS NOT NULL", "N BETWEEN N AND N", "T IN ( T , T )"),
    written(
        "T LIKE 'b%'", "T NOT LIKE T", "T RLIKE '^b'", "NOT B", "( B )", "B AND B", "B OR B", "B = B", "( B ) IS NULL"
    ),
    written("array_contains( split( T , 'a' ) , T )", "exists( split( T , 'a' ) , part -> part = T )"),
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.lists(conditions, min_size=10, max_size=10))
def test_whatever_is_built_of_the_grammar_is_read_and_means_to_spark_what_it_means_to_the_reader(
    session: SparkSession, found: list[str]
) -> None:
    known = [
        {"eolMediaURL": A, "label": "bad", "confidence": 0.9, "logit": 2.0, "width": 3},
        {"eolMediaURL": B, "label": "good", "confidence": 0.5, "logit": -1.0},
    ]
    rows = bundle_rows(session, [{"eolMediaURL": A, "ancestry": "Plantae|Rosa"}, {"eolMediaURL": B}])
    flat = _decision_input(with_facts(rows, facts(session, known), task()), task()).select(*COLUMNS)
    again = [read(text).sql(dialect=RuleDialect) for text in found]
    both = flat.select(*[F.array(F.expr(text), F.expr(copy)) for text, copy in zip(found, again, strict=True)])
    assert {field.dataType.simpleString() for field in both.schema} == {"array<boolean>"}
    for row in both.collect():
        for (text, copy), (mine, other) in zip(zip(found, again, strict=True), row, strict=True):
            assert mine == other, (text, copy)


def test_every_function_of_the_list_is_one_of_spark(session: SparkSession) -> None:
    known = {row[0] for row in session.sql("SHOW FUNCTIONS").collect()}
    assert known >= ALLOWED - {"try_cast"}  # which is syntax
    assert known >= {name for names in WHY_NOT.values() for name in names.split()} - {"grouping__id"}
