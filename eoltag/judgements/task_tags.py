"""What judging needs to know of a task: whether an image may have several tags, which there are, which says none."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from eoltag.judgements.record import Judgement
from eoltag.local import files
from eoltag.records import JOINER, parted

_NOTES: Final = "decided"


@dataclass(frozen=True, slots=True)
class TaskTags:
    """The tags of a task, as it was last decided."""

    has_several: bool = False
    """An image may have several tags."""
    missing: str = ""
    """The tag of an image that no rule tags."""
    named: tuple[str, ...] = ()
    """The tags that its rules name, in their order."""

    def said(self, one: Judgement) -> Judgement:
        """A judgement that was written elsewhere: several tags as they are stored, the choices without `missing`."""
        if not self.has_several or one.said_tag is None:
            return one
        choices = [tag for tag in one.choices if tag != self.missing]
        return replace(one, said_tag=JOINER.join(parted(one.said_tag)), choices=choices)

    def choices(self, *further: str | None) -> list[str]:
        """What a person may choose of several tags: those that rules name, and further ones, joined or not."""
        known = dict.fromkeys([*self.named, *(tag for text in further for tag in parted(text))])
        return [tag for tag in known if tag != self.missing] if self.has_several else []


def read_task_tags(output: Path, task: str) -> TaskTags:
    """From the note of the last decision; one tag an image where there is none."""
    try:
        content = json.loads(files.read_text(str(output / _NOTES / f"{task}.json")))["task"]["content"]
        named = dict.fromkeys(rule["tag"] for rule in content["rules"] if rule["tag"])
        return TaskTags(content["multiple"], content["missing"], tuple(named))
    except (OSError, ValueError, KeyError, TypeError):
        return TaskTags()
