"""Prompt templates: the lecture's encoder F builds a prompt from an instruction, examples and a
query; its decoder G reads the answer out of the completion. Runs no model.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jinja2 import nodes
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lmlab.assets import assets_dir
from lmlab.errors import InputError
from lmlab.prompts import Pieces, Prompt, joined
from lmlab.reading import Answer, Decoder, read
from lmlab.rendering import Job, Renderer
from lmlab.strictyaml import load_mapping

Row = Mapping[str, str]

MAX_LABELS = 50
LABELS = "labels"
# Names that Jinja itself gives to every block.
BUILT_IN = frozenset(DEFAULT_NAMESPACE) | {"loop", "self", "caller", "varargs", "kwargs"}


class PromptTemplate(BaseModel):
    """One prompt design. Blocks are Jinja; a row's fields are inserted as ``{{ field }}``.

    Attributes:
        name: short, of letters, digits and hyphens.
        title: as shown to people.
        task: what it asks for; templates of one task are wordings of each other.
        data: the shipped set it fits.
        about: one line on where the wording comes from.
        instruction: stands before everything; knows no row, but ``labels``.
        example: one solved example; by default query and target together.
        separator: stands after every example.
        query: what is asked, up to where the answer begins.
        target: how the true answer goes on after the query.
        answer: the field that holds the true answer.
        labels: label to word, where the answer is one of a few; blocks see the word.
        stop: strings that end a completion.
        decoder: how G reads a completion; ``decode`` in YAML.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")
    title: str = ""
    task: str = ""
    data: str = ""
    about: str = ""
    instruction: str = ""
    example: str = ""
    separator: str = "\n"
    query: str = Field(min_length=1)
    target: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    labels: dict[str, str] = {}
    stop: tuple[str, ...] = ()
    decoder: Decoder = Field(Decoder(), alias="decode")
    shipped: bool = Field(False, exclude=True)

    @field_validator("labels", mode="before")
    @classmethod
    def _mapping(cls, value: Any) -> Any:
        return {word: word for word in value} if isinstance(value, list) else value

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _sensible(self) -> "PromptTemplate":
        words = list(self.labels.values())
        if len(words) == 1:
            raise ValueError("labels: there must be at least two")
        if len(words) > MAX_LABELS:
            raise ValueError(f"labels: there may be at most {MAX_LABELS}")
        if any(not word.strip() for word in (*words, *self.labels)):
            raise ValueError("labels: a label is empty")
        if len(set(words)) < len(words):
            raise ValueError("labels: two labels have the same word")
        if "" in self.stop:
            raise ValueError("stop: a stop string is empty")
        if self.decoder.how == "label" and not words:
            raise ValueError("decode: ‘label’ needs labels")
        if self.answer in fields_of(self.query):
            raise ValueError(f"query: it gives the answer away, ‘{self.answer}’")
        if not self.labels and self.answer not in fields_of(self.target):
            raise ValueError(f"target: it does not use the answer, ‘{self.answer}’")
        return self

    @classmethod
    def parse(cls, text: str, *, shipped: bool = False) -> "PromptTemplate":
        """Read a template from YAML.

        Raises:
            InputError: no YAML, an unknown or missing field, or one that cannot be.
        """
        raw = load_mapping(text)
        raw.pop("shipped", None)
        try:
            return cls(**raw, shipped=shipped)
        except ValidationError as error:
            raise InputError(*_said(error)) from None

    @property
    def blocks(self) -> dict[str, str]:
        """Every block by name."""
        return {
            "instruction": self.instruction,
            "example": self.example or self.query + self.target,
            "query": self.query,
            "target": self.target,
        }

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that a query needs, in the order of their first use."""
        return tuple(name for name in fields_of(self.query) if name != LABELS)

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that a solved example needs, the answer last."""
        used = fields_of("".join((self.query, self.target, self.example)))
        inputs = [name for name in used if name not in (LABELS, self.answer)]
        return (*inputs, self.answer)

    @property
    def renderer(self) -> Renderer:
        """Who renders its blocks."""
        return Renderer(self.shipped)

    def encode(self, examples: Sequence[Row], query: Row) -> Prompt:
        """The lecture's F: the prompt, and which characters came from which part.

        Args:
            examples: solved rows, in order; none for zero-shot.
            query: the row that is asked; its answer may be missing.

        Raises:
            InputError: a field is missing, a label is none of the template's, or a block fails.
        """
        instruction, pieces = self.pieces([*examples, query])
        return joined(instruction, pieces[:-1], self.separator, pieces[-1])

    def pieces(self, rows: Sequence[Row]) -> tuple[str, list[Pieces]]:
        """The instruction, and each row's query, example and answers, rendered."""
        jobs: list[Job] = [("instruction", {LABELS: list(self.labels.values())})]
        counts = []
        for number, row in enumerate(rows, 1):
            mine = list(self._jobs(row, number))
            jobs += mine
            counts.append(len(mine))
        texts = iter(self.renderer.render(self.blocks, jobs))
        instruction = next(texts)
        found = []
        for row, count in zip(rows, counts, strict=True):
            query, *rest = (next(texts) for _ in range(count))
            truth = row.get(self.answer)
            found.append(_pieces(query, rest, truth, tuple(self.labels)))
        return instruction, found

    def _jobs(self, row: Row, number: int) -> Iterable[Job]:
        """Query; then, where the answer is known, example and target; then a target a label."""
        words = list(self.labels.values())
        given: dict[str, Any] = {LABELS: words}
        given |= {key: value for key, value in row.items() if key != self.answer}
        yield "query", given
        truth = row.get(self.answer)
        if truth is not None:
            word = self.word(truth, number)
            yield "example", {**given, self.answer: word}
            yield "target", {**given, self.answer: word}
        for word in words:
            yield "target", {**given, self.answer: word}

    def word(self, label: str, number: int = 0) -> str:
        """How an answer is written: a label's word, or the answer itself."""
        if not self.labels:
            return label
        if label not in self.labels:
            place = f"Row {number}: " if number else ""
            raise InputError(
                f"{place}the label ‘{label[:40]}’ is none of {', '.join(self.labels)}.",
                "Map the template’s labels to those of the data.",
            )
        return self.labels[label]

    def decode(self, completion: str, *, ended: bool = True) -> Answer:
        """The lecture's G: what a completion answers, or why that cannot be said."""
        return self.decode_all([completion], [ended])[0]

    def decode_all(self, completions: Sequence[str], ended: Sequence[bool]) -> list[Answer]:
        """G for many completions.

        Args:
            completions: what the model wrote, without a stop string that ended it.
            ended: whether each came to an end, rather than being cut at a length.
        """
        return read(
            self.decoder, completions, labels=self.labels, ended=ended, renderer=self.renderer
        )


def fields_of(block: str) -> tuple[str, ...]:
    """The names that a block inserts, in the order of their first use; none where it is not valid.

    >>> fields_of("{{ text }} -> {{ label }}")
    ('text', 'label')
    """
    # The tree alone is looked at: jinja2.meta would work out constants, and they can be bombs.
    try:
        tree = ImmutableSandboxedEnvironment().parse(block)
    except (TemplateSyntaxError, RecursionError, ValueError):
        return ()
    used = [(node.name, node.ctx) for node in tree.find_all(nodes.Name)]
    own = {name for name, context in used if context != "load"}
    return tuple(dict.fromkeys(name for name, _ in used if name not in own | BUILT_IN))


def shipped_templates() -> dict[str, PromptTemplate]:
    """The templates that come with lmlab, by name."""
    folder = assets_dir() / "templates"
    texts = (file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.yaml")))
    found = (PromptTemplate.parse(text, shipped=True) for text in texts)
    return {template.name: template for template in found}


def shipped_template(name: str) -> PromptTemplate:
    """A shipped template by name.

    Raises:
        InputError: there is none of that name; says which there are.
    """
    known = shipped_templates()
    if name not in known:
        raise InputError(
            f"There is no template named ‘{name[:60]}’.", f"There are: {', '.join(known)}."
        )
    return known[name]


def shipped_source(name: str) -> str:
    """The YAML of a shipped template, as it was written."""
    return (assets_dir() / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def _pieces(query: str, rest: list[str], truth: str | None, labels: tuple[str, ...]) -> Pieces:
    if truth is None:
        return Pieces(query, "", "", None, dict(zip(labels, rest, strict=True)))
    example, target, *targets = rest
    return Pieces(query, example, target, truth, dict(zip(labels, targets, strict=True)))


def _said(error: ValidationError) -> tuple[str, str]:
    """The first thing that is wrong, in one sentence, and what there is to choose from."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    fields = ", ".join(
        f.alias or n for n, f in PromptTemplate.model_fields.items() if not f.exclude
    )
    if first["type"] == "extra_forbidden":
        return f"The template has an unknown field, ‘{place}’.", f"There are: {fields}."
    if first["type"] == "missing":
        return f"The template has no ‘{place}’.", "It needs name, query, target and answer."
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"The template is not valid: {f'{place}: ' if place else ''}{message}.", ""
