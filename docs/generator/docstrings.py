"""What the code says of the attributes of a class: the docstrings below them, which Python itself does not keep."""

import ast
import inspect
import textwrap


def attribute_docs(owner: type) -> dict[str, str]:
    """Attribute -> the docstring below it, for those that have one; without those of base classes."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for statement, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            for name in _names(statement):
                found[name] = " ".join(below.value.value.split())
    return found


def meaning(owner: type, name: str) -> str:
    """The docstring of one attribute. Raises ValueError where it has none, for then a page would say nothing of it."""
    docs = attribute_docs(owner)
    if name not in docs:
        raise ValueError(f"{owner.__module__}.{owner.__qualname__}.{name}: a docstring below it was wanted; came none")
    return docs[name]


def first_sentence(owner: type) -> str:
    """The first paragraph of a class's own docstring, on one line."""
    return " ".join((inspect.getdoc(owner) or "").partition("\n\n")[0].split())


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.AnnAssign):
        return [statement.target.id] if isinstance(statement.target, ast.Name) else []
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
