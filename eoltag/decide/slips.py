"""Finds the slips in an expression of a task file that need no Spark to be seen: what it holds, and what it names."""

from collections.abc import Collection, Mapping

from eoltag.decide.expressions import BY_LABEL, Refused, read, texts_compared


def find_slip(text: str, labels: Mapping[str, Collection[str]], tags: Collection[str]) -> str | None:
    """What is wrong with the expression, None where only Spark can tell.

    labels: model -> labels of its package; bare names mean the first model. tags: those that an image can get; none
    where rules compute them.
    """
    try:
        tree = read(text)
    except Refused as problem:
        return str(problem)
    for node in tree.walk():
        for model, column, compared in texts_compared(node, list(labels)):
            if column in ("label", *BY_LABEL) and compared not in labels[model]:
                return f"the package has no label '{compared}'; it has {', '.join(sorted(labels[model]))}"
            if column == "tag" and tags and compared not in tags:
                return f"no rule gives the tag '{compared}'; the tags are {', '.join(sorted(tags))}"
    return None
