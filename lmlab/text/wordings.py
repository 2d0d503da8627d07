"""The templates that ship with lmlab, and the embedded models that some were tuned with."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from lmlab.assets import assets_dir
from lmlab.errors import InputError
from lmlab.text.sets import shipped_sets
from lmlab.text.templates import PromptTemplate

# Wordings that belong to no set: of chats, and of instructions with or without an input.
CHAT, INSTRUCTION = "chat-turns", "instruction-alpaca"
NONE = "plain text"  # the name of no wording at all
FIRST = (
    "german-lecture", "qa-question", "sentiment-review", "similarity-meaning", "topic-story",
    "opposite-instruction", "plural-instruction", "choice-question",
)  # fmt: skip


def shipped_templates() -> Mapping[str, PromptTemplate]:
    """The templates that come with lmlab, by name."""
    return _templates(assets_dir() / "templates")


@cache
def _templates(folder: Path) -> Mapping[str, PromptTemplate]:
    texts = (file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.yaml")))
    found = (PromptTemplate.parse(text, shipped=True) for text in texts)
    return MappingProxyType({template.name: template for template in found})


def shipped_template(name: str) -> PromptTemplate:
    """A shipped template by name; an InputError says which there are."""
    known = shipped_templates()
    if name not in known:
        there = f"There are: {', '.join(known)}."
        raise InputError(f"There is no template named ‘{str(name)[:60]}’.", there)
    return known[name]


def shipped_source(name: str) -> str:
    """The YAML of a shipped template, as it was written; empty for ``NONE``, plain text."""
    if name == NONE:
        return ""
    shipped_template(name)
    return (assets_dir() / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def read_wording(text: str) -> PromptTemplate:
    """A template from YAML; one that ships is known by its text."""
    found = PromptTemplate.parse(text)
    known = shipped_templates().get(found.name)
    return known if known is not None and shipped_source(found.name) == text else found


def worded_sets() -> list[str]:
    """Names of the shipped sets that some template fits."""
    wanted = {template.data for template in shipped_templates().values()}
    return [name for name in shipped_sets() if name in wanted]


def titled(data: str = "") -> list[tuple[str, str]]:
    """(title, name) of the templates of a set; of all, each beside its task, for no set."""
    # The plainest wording comes first; an arrow says least of what is meant.
    known = shipped_templates().values()
    found = sorted(known, key=lambda one: (one.name not in FIRST, one.task, one.name))
    if not data:
        return [(f"{one.task}: {one.title}", one.name) for one in found]
    return [(one.title, one.name) for one in found if one.data == data]


def fitting_wording(columns: Sequence[str], *, chat: bool = False) -> PromptTemplate | None:
    """The shipped wording for a table of chats, or of instructions; None for any other table."""
    if chat:
        return shipped_template(CHAT)
    found = shipped_template(INSTRUCTION)
    return found if set(found.needed) <= set(columns) else None


def tuned_wording(data: str) -> PromptTemplate | None:
    """The wording of a set that an embedded model was fine-tuned on; None where none was."""
    return next((t for t in shipped_templates().values() if t.data == data and t.tuned), None)


def wordings_like(template: PromptTemplate) -> list[PromptTemplate]:
    """The other shipped wordings for the same set and columns."""
    return [
        other
        for other in shipped_templates().values()
        if other.name != template.name
        and other.data == template.data
        and set(other.columns) == set(template.columns)
    ]
