"""A page as a browser would read it, for tests to ask: elements with their attributes and text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

_VOID: Final = {"br", "hr", "img", "input", "link", "meta", "rect"}


@dataclass
class Element:
    """One element and what is in it."""

    tag: str
    attributes: dict[str, str | None]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, spaces joined."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join(" ".join(parts).split())

    @property
    def classes(self) -> set[str]:
        """Names of its classes."""
        return set((self.attributes.get("class") or "").split())

    def all(self, tag: str | None = None, name: str | None = None) -> Iterator["Element"]:
        """Elements inside, of a tag or a class."""
        for child in self.children:
            if isinstance(child, Element):
                if tag in (None, child.tag) and (name is None or name in child.classes):
                    yield child
                yield from child.all(tag, name)

    def one(self, tag: str | None = None, name: str | None = None) -> "Element":
        """The first of them."""
        return next(self.all(tag, name))


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in <{tag}>"
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def read_html(text: str) -> Element:
    """The page. Fails where an element is not closed or closed in the wrong order."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert builder.root is builder._open[-1], f"<{builder._open[-1].tag}> is never closed"
    return builder.root
