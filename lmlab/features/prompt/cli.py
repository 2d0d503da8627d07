"""The command ``prompt``: one query through a template; and what ``evaluate`` shares with it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lmlab.errors import InputError
from lmlab.features.prompt.service import Asked, Prompting, Weighed
from lmlab.generation.completions import Step
from lmlab.lab import Lab
from lmlab.options import add_flags
from lmlab.terminal.naming import add_model, asked_ref
from lmlab.terminal.quiet import quiet, write_json
from lmlab.terminal.tables import TABLES, pair, table_of, tell, template_of
from lmlab.text import sets
from lmlab.text.harness import TaskTemplate, read_docs
from lmlab.text.protocols import Protocol, draw
from lmlab.text.reading import Answer
from lmlab.text.sets import Dataset, Table
from lmlab.text.templates import PromptTemplate

TEMPLATE = "a shipped name, or a YAML file; for evaluate, a task file of lm-evaluation-harness"


def add_prompt(commands: Any) -> None:
    """The parser of ``lmlab prompt``."""
    prompt = commands.add_parser(
        "prompt",
        help="build a prompt from a template, complete it, read the answer",
        description="One query through a prompt template: F builds the prompt, G reads the answer.",
    )
    add_common(prompt, without=("draws", "limit", "way", "measure"))
    add_model(prompt)
    prompt.add_argument("--template", required=True, help=TEMPLATE)
    prompt.add_argument("--query", help="the query’s first field; default: standard input")
    prompt.add_argument(
        "--field", action="append", default=[], metavar="NAME=VALUE", help="another field"
    )
    prompt.add_argument("--shots", type=int, default=0, help="examples before the query")
    prompt.add_argument("--show", action="store_true", help="print the prompt as well")
    prompt.set_defaults(run=_prompt)


def add_common(command: Any, *, without: tuple[str, ...] = ()) -> None:
    """The arguments about data, and a design's own but for some."""
    command.add_argument("--data", help=f"a shipped set; {TABLES}")
    command.add_argument(
        "--map", action="append", default=[], metavar="FIELD=COLUMN", help="name a file’s columns"
    )
    command.add_argument(
        "--examples", metavar="DATA", help="draw examples from this; all of --data is asked"
    )
    command.add_argument(
        "--skip-bad", action="store_true", help="leave out rows that cannot be used; they are told"
    )
    add_flags(command, Protocol(limit=None), without=without)
    command.add_argument("--json", action="store_true", help="print one JSON object")


def dataset_of(
    arguments: argparse.Namespace,
    template: PromptTemplate,
    *,
    split: str = "test",
    shots: bool = True,
) -> Dataset:
    """The set that the arguments name: one that ships; a file cut in two; or, where no examples
    are drawn or they come from another file, a file as a whole."""
    wanted = arguments.data or template.data
    if isinstance(template, TaskTemplate) and wanted in sets.shipped_sets():
        raise InputError("A task file reads documents of its own.", "Name them with --data FILE.")
    if not wanted:
        raise InputError("The template names no data set.", "Name one with --data.")
    if wanted in sets.shipped_sets() and not arguments.examples:
        return sets.shipped(wanted, split)
    skip = arguments.skip_bad

    def read(name: str) -> Table:
        if isinstance(template, TaskTemplate):
            return template.table(Path(name).name, read_docs(Path(name)))
        found = table_of(name, arguments.map, split=split, skip=skip)
        return found.usable(template.reads, skip=skip)

    if wanted in sets.shipped_sets():
        found = sets.shipped(wanted, split)
        table = Table(wanted, template.columns, found.queries)
    else:
        table = read(wanted)
    if arguments.examples or not shots:
        examples = read(arguments.examples) if arguments.examples else None
        return sets.undivided(table, examples, template.reads)
    return sets.split(table, arguments.seed, reads=template.reads)


def _prompt(arguments: argparse.Namespace) -> None:
    template = template_of(arguments.template)
    if not template.fields:
        raise InputError("The template’s query has no field.")
    text = _piped() if arguments.query is None else arguments.query
    query = {template.fields[0]: text, **dict(map(pair, arguments.field))}
    examples = []
    if arguments.shots:
        found = dataset_of(arguments, template)
        found.check(template.needed)
        tell(found.notes)
        examples = draw(found.pool, arguments.shots, arguments.seed)
    said = _answered(arguments, template, examples, query)
    if arguments.json:
        write_json(said)
        return
    for note in said["notes"]:
        print(f"lmlab: {note}", file=sys.stderr)
    if arguments.show:
        print(f"{said['prompt']}⟶{said['completion']}\n")
    for label, p in (said["labels"] or {}).items():
        print(f"{label}\t{p:.4f}")
    print(said["answer"] if said["answer"] is not None else f"(no answer: {said['reason']})")


def _answered(
    arguments: argparse.Namespace, template: PromptTemplate, examples: Any, query: Any
) -> dict[str, Any]:
    """Ask one query and gather what there is to say about it."""
    lab, model = open_lab(), str(asked_ref(arguments))
    said: dict[str, Any] = {"model": model, "template": template.name, "completion": ""}
    said |= {"shots": len(examples), "labels": None}
    prompts, form = lab.service(Prompting), arguments.form
    for event in prompts.run(model, template, examples, query, form=form):
        if isinstance(event, Asked):
            said |= {"prompt": event.prompt.text, "n_tokens": event.n_tokens}
            said |= {"form": event.form, "notes": list(event.notes)}
        elif isinstance(event, Step):
            said["completion"] += event.shown
        elif isinstance(event, Answer):
            said |= {"answer": event.value, "reason": event.reason}
        elif isinstance(event, Weighed):
            said["labels"] = dict(zip(event.labels, event.probabilities, strict=True))
            said |= {"answer": event.choices["sum"], "reason": ""}
    return said


def open_lab() -> Lab:
    """A lab of this process, with the libraries kept quiet."""
    quiet()
    return Lab.open()


def _piped() -> str:
    """Standard input without the end of its last line; a byte-order mark is no text."""
    return sys.stdin.read().removeprefix("\ufeff").rstrip("\n")
