"""Reading an answer out of a completion: the lecture's decoder G. Knows text only."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from lmlab.rendering import Renderer
from lmlab.text.rows import no_constant

How = Literal["first-line", "until", "regex", "label", "json"]
LONGEST_PATTERN = 200


class Decoder(BaseModel):
    """How G reads a completion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # ``first-line``; ``until`` a delimiter; a ``regex``; the ``label`` it begins with; ``json``
    how: How = "first-line"
    delimiter: str = ""  # for ``until``
    pattern: str = ""  # for ``regex``: its first group, else the whole match
    before: str = ""  # for ``json``: what the prompt wrote of the value already
    field: str = ""  # for ``json``: the key to take; empty takes the value itself

    @model_validator(mode="after")
    def _complete(self) -> "Decoder":
        if self.how == "until" and not self.delimiter:
            raise ValueError("‘until’ needs a delimiter")
        if self.how == "regex":
            if not 0 < len(self.pattern) <= LONGEST_PATTERN:
                raise ValueError(f"‘regex’ needs a pattern of 1 to {LONGEST_PATTERN} characters")
            try:
                re.compile(self.pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(f"the pattern is not valid: {error}") from None
        return self


@dataclass(frozen=True, slots=True)
class Answer:
    """What G read."""

    value: str | None  # the answer, or None where there is none
    reason: str = ""  # why there is none
    start: int = 0  # first character of the completion that it was read from
    end: int = 0  # one past the last


def read(
    decoder: Decoder,
    completions: Sequence[str],
    *,
    labels: Mapping[str, str],
    ended: Sequence[bool],
    renderer: Renderer,
) -> list[Answer]:
    """Read each completion, which has no stop string at its end.

    ``labels`` give words by label; ``ended`` says which completions came to an end, rather than
    being cut at a length; the renderer looks for patterns.
    """
    if decoder.how == "regex":
        spans = renderer.search(decoder.pattern, completions)
        found = [
            Answer(text[slice(*span)], "", *span)
            if span
            else Answer(None, "The pattern matches nowhere.")
            for text, span in zip(completions, spans, strict=True)
        ]
    else:
        pairs = zip(completions, ended, strict=True)
        found = [_plain(decoder, text, done, labels) for text, done in pairs]
    if decoder.how == "label" or not labels:
        return found
    return [_as_label(answer, labels) for answer in found]


def _plain(decoder: Decoder, text: str, ended: bool, labels: Mapping[str, str]) -> Answer:
    if decoder.how == "until":
        at = text.find(decoder.delimiter)
        if at < 0 and not ended:
            return Answer(None, f"“{decoder.delimiter}” never comes.")
        return _stripped(text, 0, len(text) if at < 0 else at)
    if decoder.how == "label":
        return _begins_with(text, labels)
    if decoder.how == "json":
        return _json(decoder, text)
    start = len(text) - len(text.lstrip())
    line = text[start:].split("\n", 1)[0]
    return _stripped(text, start, start + len(line))


def _stripped(text: str, start: int, end: int) -> Answer:
    part = text[start:end]
    value = part.strip()
    if not value:
        return Answer(None, "The completion is empty there.")
    start += len(part) - len(part.lstrip())
    return Answer(value, "", start, start + len(value))


def _begins_with(text: str, labels: Mapping[str, str]) -> Answer:
    """The label whose word the completion begins with; the longest where several do."""
    start = len(text) - len(text.lstrip())
    rest = text[start:].casefold()
    words = {label: word.strip().casefold() for label, word in labels.items()}
    fitting = [
        label
        for label, word in words.items()
        if rest.startswith(word) and not rest[len(word) :][:1].isalnum()
    ]
    if not fitting:
        return Answer(None, f"It begins with none of {', '.join(labels.values())}.")
    best = max(fitting, key=lambda label: len(labels[label]))
    return Answer(best, "", start, start + len(labels[best].strip()))


def _as_label(answer: Answer, labels: Mapping[str, str]) -> Answer:
    if answer.value is None:
        return answer
    for label, word in labels.items():
        if answer.value.strip().casefold() == word.strip().casefold():
            return Answer(label, "", answer.start, answer.end)
    said = f"“{answer.value[:40]}” is none of {', '.join(labels.values())}."
    return Answer(None, said, answer.start, answer.end)


def _json(decoder: Decoder, text: str) -> Answer:
    source = decoder.before + text.rstrip()
    skipped = len(source) - len(source.lstrip())
    try:
        value, end = json.JSONDecoder(parse_constant=no_constant).raw_decode(source, skipped)
    except (ValueError, RecursionError):
        return Answer(None, "The completion is no valid JSON.")
    if decoder.field:
        if not isinstance(value, dict) or decoder.field not in value:
            return Answer(None, f"The JSON has no “{decoder.field}”.")
        value = value[decoder.field]
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Answer(shown, "", 0, max(0, end - len(decoder.before)))
