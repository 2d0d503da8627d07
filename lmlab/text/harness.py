"""Task files of lm-evaluation-harness, read as templates: what a file says in data, that is; a file
that names code is refused, and code is never run.

The file's Jinja makes texts of each document: what is asked, what it is chosen from, the answer.
They become a row's columns, and the template is made over these.
"""

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from lmlab.errors import InputError
from lmlab.rendering import Job, Renderer, RenderError
from lmlab.text.records import Place, Record
from lmlab.text.rows import MAX_ROWS, no_constant
from lmlab.text.sets import Table
from lmlab.text.strict_yaml import load_mapping
from lmlab.text.templates import PromptTemplate

TEXT, CHOICES, ANSWER = "asked", "choices", "answer"
KINDS = ("multiple_choice", "generate_until", "loglikelihood")
READ = {
    "task", "output_type", "doc_to_text", "doc_to_target", "doc_to_choice", "target_delimiter",
    "fewshot_delimiter", "description", "generation_kwargs",
}  # fmt: skip
# What says nothing of how a document becomes text and is scored, or where documents come from.
APART = {
    "tag", "group", "task_alias", "dataset_path", "dataset_name", "training_split",
    "validation_split", "test_split", "fewshot_split", "num_fewshot", "metric_list", "metadata",
    "should_decontaminate", "doc_to_decontamination_query", "repeats",
}  # fmt: skip
AT_ONCE = 200  # documents that are rendered by one child process
LARGEST = 50_000_000  # bytes of a file of documents
JINJA = ("{{", "{%", "{#")


class TaskTemplate(PromptTemplate):
    """The template of a task file, over the rows that ``table`` makes of documents."""

    docs: dict[str, str] = Field(exclude=True)  # Jinja over documents, by the columns they fill

    def table(self, name: str, docs: Sequence[Mapping[str, Any]]) -> Table:
        """Documents as rows of what is asked, the choices and the answer.

        Raises:
            InputError: a document lacks a field, has no such choice, or its choices are no list;
                says which document it is.
        """
        rows = [self._row(texts, number) for number, texts in enumerate(self._texts(docs), 1)]
        return Table(name, tuple(self.docs), rows)

    def _texts(self, docs: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
        width = len(self.docs)
        for start in range(0, len(docs), AT_ONCE):
            jobs: list[Job] = [
                (name, {key: {"chat": json.dumps(value)} for key, value in doc.items()})
                for doc in docs[start : start + AT_ONCE]
                for name in self.docs
            ]
            try:
                texts = Renderer().render(self.docs, jobs)
            except RenderError as error:
                place = start + error.job // width + 1 if error.job >= 0 else 0
                where = f"Document {place:,}: " if place else ""
                raise InputError(f"{where}{error.message}", error.hint) from None
            for at in range(0, len(texts), width):
                yield dict(zip(self.docs, texts[at : at + width], strict=True))

    def _row(self, texts: dict[str, str], number: int) -> Record:
        if CHOICES in texts:
            choices = _choices(texts[CHOICES], number)
            texts |= {CHOICES: json.dumps(choices), ANSWER: _chosen(texts[ANSWER], choices, number)}
        if not texts[ANSWER].strip():
            raise InputError(f"Document {number:,} has no answer.")
        return Record(texts, Place(number))


def is_task(text: str) -> bool:
    """Whether a text is a task file rather than a template."""
    return any(line.startswith(("doc_to_text", "doc_to_target")) for line in text.splitlines())


def read_task(text: str) -> TaskTemplate:
    """The template of a task file.

    Raises:
        InputError: it asks for code, or says what cannot be read; all of that is named.
    """
    raw = {key: value for key, value in load_mapping(text, "task file").items() if _said(value)}
    if unknown := [key for key in raw if key not in READ | APART]:
        raise InputError(
            f"The task file says what is not read here: {', '.join(unknown)}.",
            f"Read are {', '.join(sorted(READ))}; what code makes can be rows of JSON.",
        )
    kind = raw.get("output_type", "generate_until")
    if kind not in KINDS:
        raise InputError(f"output_type ‘{kind[:40]}’ is not read.", f"Read are {', '.join(KINDS)}.")
    chooses = kind == "multiple_choice"
    for name in ("task", "doc_to_text", "doc_to_target", *(["doc_to_choice"] if chooses else [])):
        if name not in raw:
            raise InputError(f"The task file has no ‘{name}’.")
    docs = {TEXT: _block(raw["doc_to_text"], "doc_to_text")}
    docs |= {CHOICES: _block(raw["doc_to_choice"], "doc_to_choice")} if chooses else {}
    docs |= {ANSWER: _block(raw["doc_to_target"], "doc_to_target")}
    delimiter = _plain(raw, "target_delimiter", " ")
    query, target = f"{{{{ {TEXT} }}}}", f"{{{{ {ANSWER} }}}}"
    between = _plain(raw, "fewshot_delimiter", "\n\n")
    stop = _stop(raw.get("generation_kwargs"), between)
    return TaskTemplate(
        name=_name(raw["task"]), title=str(raw["task"])[:80], task=kind.replace("_", " "),
        instruction=_plain(raw, "description", ""), separator=between,
        query=query, example=f"{query}{delimiter}{target}",
        # The harness puts the delimiter before what is chosen, and not before a target as such.
        target=target if kind == "loglikelihood" else f"{delimiter}{target}",
        answer=ANSWER, options=CHOICES if chooses else "", stop=stop, docs=docs,
        decode={"how": "label"} if chooses else {"how": "until", "delimiter": stop[0]},
    )  # fmt: skip


def read_docs(path: Path) -> list[dict[str, Any]]:
    """The documents of a file of JSON, a line each or a list, values as they are.

    Raises:
        InputError: it is too large, or no such file; says the line.
    """
    if not path.is_file():
        raise InputError(f"There is no file ‘{path.name[:80]}’.", "Name rows of JSON with --data.")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path.name} is larger than {LARGEST / 1e6:.0f} MB.")
    found, text = list[Any](), path.read_text(encoding="utf-8-sig")
    pieces = [text] if text.lstrip().startswith("[") else text.splitlines()
    for number, piece in enumerate(pieces, 1):
        try:
            value = json.loads(piece, parse_constant=no_constant) if piece.strip() else []
        except (ValueError, RecursionError):
            raise InputError(
                f"Line {number:,} of {path.name} is no valid JSON.",
                "Documents of a task are JSON: an object on each line, or a list.",
            ) from None
        found += value if isinstance(value, list) else [value]
    if not found or not all(isinstance(one, dict) for one in found):
        raise InputError(f"{path.name} holds no JSON objects.")
    if len(found) > MAX_ROWS:
        raise InputError(
            f"{path.name} has {len(found):,} documents; at most {MAX_ROWS:,} are read."
        )
    return found


def _said(value: Any) -> bool:
    """Whether a field says something; every plain value is a text here."""
    return value not in ("", "null", "~", [], {})


def _block(value: Any, name: str) -> str:
    """Jinja for a value: itself; a column by its name; a list, a number as they are."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return f"{{{{ {json.dumps(value, ensure_ascii=False)} }}}}"
    if not isinstance(value, str):
        raise InputError(f"‘{name}’ is no text and no list of texts.")
    if value.isidentifier():
        return f"{{{{ {value} }}}}"
    return value


def _plain(raw: Mapping[str, Any], name: str, default: str) -> str:
    value = raw.get(name, default)
    if not isinstance(value, str) or any(mark in value for mark in JINJA):
        raise InputError(f"‘{name}’ is no plain text, and is read as no other.")
    return value


def _stop(given: Any, between: str) -> tuple[str, ...]:
    """What ends a completion: what stands under ``until``, else what stands between examples."""
    found = given.get("until", between) if isinstance(given, dict) else between
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise InputError("‘generation_kwargs: until’ is no list of texts.")
    return tuple(found)


def _name(task: Any) -> str:
    kept = "".join(c if c.isalnum() and c.isascii() else "-" for c in str(task).lower())
    return kept.strip("-")[:60].strip("-") or "task"


def _choices(text: str, number: int) -> list[str]:
    try:
        found = ast.literal_eval(text)  # literals alone, as the harness reads what was rendered
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        found = None
    found = list(found.values()) if isinstance(found, dict) else found
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InputError(f"Document {number:,}: doc_to_choice gives no list of texts.")
    if any(one != one.strip() for one in found):
        raise InputError(f"Document {number:,}: a choice has white space at its ends.")
    return found


def _chosen(text: str, choices: list[str], number: int) -> str:
    if text.isdecimal() and len(text) < 4 and int(text) < len(choices):
        return choices[int(text)]
    if text in choices:
        return text
    raise InputError(f"Document {number:,}: ‘{text[:40]}’ is none of its choices, nor a place.")
