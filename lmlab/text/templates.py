"""Prompt templates: the lecture's encoder F builds a prompt from an instruction, examples and a
query; its decoder G reads the answer out of the completion. Runs no model.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lmlab.errors import InputError
from lmlab.models.forms import Form
from lmlab.rendering import Job, Renderer
from lmlab.text.blocks import Batch, asked_for, fields_of
from lmlab.text.chats import turns_before_answer
from lmlab.text.parts import Pieces, Prompt, joined
from lmlab.text.reading import Answer, Decoder, read
from lmlab.text.records import Row, placed
from lmlab.text.rows import options_of
from lmlab.text.strict_yaml import load_mapping
from lmlab.text.twins import Reads

MAX_LABELS = 1000
MOST_NAMED = 20  # labels that an error lists
LABELS = "labels"


class PromptTemplate(BaseModel):
    """One prompt design. Blocks are Jinja; a row's fields are inserted as ``{{ field }}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")  # short, of letters, digits and hyphens
    title: str = ""  # as shown to people
    task: str = ""  # what it asks for; templates of one task are wordings of each other
    data: str = ""  # the shipped set it fits
    about: str = ""  # one line on where the wording comes from
    instruction: str = ""  # stands before everything; knows no row, but ``labels``
    example: str = ""  # one solved example; by default query and target together
    separator: str = "\n"  # stands after every example
    query: str = Field(min_length=1)  # what is asked, up to where the answer begins
    target: str = Field(min_length=1)  # how the true answer goes on after the query
    answer: str = Field(min_length=1)  # the field that holds the true answer
    labels: dict[str, str] = {}  # to words, where the answer is one of a few; blocks see the word
    options: str = ""  # the field with a row's own options; blocks see a list
    tuned: str = ""  # the embedded model that was fine-tuned on this very wording
    stop: tuple[str, ...] = ()  # strings that end a completion
    decoder: Decoder = Field(Decoder(), alias="decode")  # how G reads a completion
    form: Form | Literal[""] = ""  # where the wording is made for one of them
    # the column with a whole chat, a JSON list of role and content: in the chat form its turns
    # before the last answer stand as they are, in place of the query
    turns: str = ""
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
        for wrong, said in (
            (len(words) == 1, "labels: there must be at least two"),
            (len(words) > MAX_LABELS, f"labels: there may be at most {MAX_LABELS}"),
            (not all(map(str.strip, (*words, *self.labels))), "labels: a label is empty"),
            (len(set(words)) < len(words), "labels: two labels have the same word"),
            ("" in self.stop, "stop: a stop string is empty"),
            (self.decoder.how == "label" and not self.chooses,
             "decode: ‘label’ needs labels, or options"),
            (self.options and words, "options: there are labels for all rows already"),
            (self.options == self.answer,
             "options: they cannot stand in the field of the answer"),
            (self.answer in fields_of(self.query),
             f"query: it gives the answer away, ‘{self.answer}’"),
            (not words and self.answer not in fields_of(self.target),
             f"target: it does not use the answer, ‘{self.answer}’"),
        ):  # fmt: skip
            if wrong:
                raise ValueError(said)
        return self

    @classmethod
    def parse(cls, text: str, *, shipped: bool = False) -> "PromptTemplate":
        """Read a template from YAML; an InputError says which field is wrong."""
        raw = load_mapping(text)
        raw.pop("shipped", None)
        if "doc_to_text" in raw:
            raise InputError(
                "This is a task file of lm-evaluation-harness.",
                "`lmlab evaluate --template FILE --data ROWS.jsonl` reads it.",
            )
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
    def chooses(self) -> bool:
        """Whether the answer is one of a few, rather than free."""
        return bool(self.labels or self.options)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that a query needs, in the order of their first use."""
        return self._inputs(self.query)

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that a solved example needs, the answer last."""
        return (*self._inputs("".join((self.query, self.target, self.example))), self.answer)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that may not be empty: all that no block asks whether they are there."""
        asked = asked_for("".join((self.query, self.target, self.example)))
        return tuple(name for name in self.columns if name not in asked or name == self.answer)

    @property
    def reads(self) -> Reads:
        """What it reads of a row."""
        own = (self.turns,) if self.turns and self.turns not in self.columns else ()
        return Reads((*self.columns, *own), self.needed, self.fields, self.check_row)

    def _inputs(self, block: str) -> tuple[str, ...]:
        used = dict.fromkeys([*fields_of(block), *([self.options] if self.options else [])])
        return tuple(name for name in used if name not in (LABELS, self.answer))

    def encode(self, examples: Sequence[Row], query: Row) -> Prompt:
        """The lecture's F: the prompt, and which characters came from which part.

        Raises:
            InputError: a field is missing, a label is none of the template's, or a block fails.
        """
        instruction, pieces = self.pieces([*examples, query])
        return joined(instruction, pieces[:-1], self.separator, pieces[-1])

    def pieces(self, rows: Sequence[Row], first: int = 1) -> tuple[str, list[Pieces]]:
        """The instruction, and each row's query, example and answers, rendered.

        ``first`` is the number of the first row, where rows do not know their place.
        """
        batch = Batch(self.blocks)
        batch.add(None, [("instruction", {LABELS: list(self.labels.values())})])
        for number, row in enumerate(rows, first):
            batch.add(row, self._jobs(row, number))
        ((instruction,), *texts) = batch.rendered(Renderer(self.shipped))
        found = []
        for number, (row, (query, *rest)) in enumerate(zip(rows, texts, strict=True), first):
            truth = row.get(self.answer)
            example, target, *ends = ("", "", *rest) if truth is None else rest
            targets = dict(zip(self.choices(row, number), ends, strict=True))
            turns = turns_before_answer(row.get(self.turns, "")) if self.turns else ()
            found.append(Pieces(query, example, target, truth, targets, turns))
        return instruction, found

    def _jobs(self, row: Row, number: int) -> Iterable[Job]:
        """Query; then, where the answer is known, example and target; then a target a choice."""
        given: dict[str, Any] = {LABELS: list(self.labels.values())}
        given |= dict.fromkeys(self.reads.optional, "")
        given |= {key: value for key, value in row.items() if key != self.answer}
        choices = self.choices(row, number)
        if self.options:
            given[self.options] = list(choices)
        yield "query", given
        truth = row.get(self.answer)
        if truth is not None:
            word = self.word(truth, choices, number, row)
            yield "example", {**given, self.answer: word}
            yield "target", {**given, self.answer: word}
        for word in choices.values():
            yield "target", {**given, self.answer: word}

    def choices(self, row: Row, number: int = 0) -> Mapping[str, str]:
        """What a row's answer is chosen from, and how each is written; empty for free answers.

        Options that cannot be read are an InputError; ``number`` tells which row it is.
        """
        if not self.options:
            return self.labels
        try:
            return {option: option for option in options_of(row.get(self.options, ""))}
        except InputError as error:
            raise InputError(placed(row, number, error.message), error.hint) from None

    def word(
        self, answer: str, choices: Mapping[str, str], number: int = 0, row: Row | None = None
    ) -> str:
        """How an answer is written: a label's word, or the answer itself; of which row it is."""
        if not self.chooses:
            return answer
        if answer not in choices:
            kind, hint = "answer", "The answer has to be one of the row’s options."
            if self.labels:
                kind, hint = "label", "Map the template’s labels to those of the data."
            known = ", ".join(choice[:40] for choice in list(choices)[:MOST_NAMED])
            known += ", …" if len(choices) > MOST_NAMED else ""
            said = f"the {kind} ‘{answer[:40]}’ is none of {known}."
            raise InputError(placed(row or {}, number, said), hint)
        return choices[answer]

    def check(self, rows: Sequence[Row]) -> None:
        """Refuse rows with an unknown label, or options that cannot be read; names the first."""
        for number, row in enumerate(rows, 1):
            self.check_row(row, number)

    def check_row(self, row: Row, number: int = 0) -> None:
        """The same for one row."""
        self.word(row[self.answer], self.choices(row, number), number, row)

    def decode(
        self, completion: str, *, ended: bool = True, targets: Mapping[str, str] | None = None
    ) -> Answer:
        """The lecture's G: what a completion answers, or why that cannot be said.

        It has no stop string at its end; ``ended`` says that it was not cut at a length, and
        ``targets`` how each option of its row would be written.
        """
        labels = (targets or {}) if self.options else self.labels
        return self._read([completion], labels, [ended])[0]

    def decode_all(self, completions: Sequence[str], ended: Sequence[bool]) -> list[Answer]:
        """G for many completions of templates without options."""
        return self._read(completions, self.labels, ended)

    def _read(
        self, completions: Sequence[str], labels: Mapping[str, str], ended: Sequence[bool]
    ) -> list[Answer]:
        renderer = Renderer(self.shipped)
        return read(self.decoder, completions, labels=labels, ended=ended, renderer=renderer)


def _said(error: ValidationError) -> tuple[str, str]:
    """The first thing that is wrong, in one sentence, and what there is to choose from."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = PromptTemplate.model_fields.items()
        fields = ", ".join(field.alias or name for name, field in known if not field.exclude)
        return f"The template has an unknown field, ‘{place}’.", f"There are: {fields}."
    if first["type"] == "missing":
        return f"The template has no ‘{place}’.", "It needs name, query, target and answer."
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"The template is not valid: {f'{place}: ' if place else ''}{message}.", ""
