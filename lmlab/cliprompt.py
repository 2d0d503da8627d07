"""The commands about prompts: ``prompt`` asks one query, ``evaluate`` measures a design."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.evaluations import WAYS

if TYPE_CHECKING:
    from lmlab.data import Dataset
    from lmlab.evaluations import Evaluation
    from lmlab.protocols import Protocol
    from lmlab.templates import PromptTemplate


def add_prompt(commands: Any) -> None:
    """The parser of ``lmlab prompt``."""
    prompt = commands.add_parser(
        "prompt",
        help="build a prompt from a template, complete it, read the answer",
        description="One query through a prompt template: F builds the prompt, G reads the answer.",
    )
    _add_common(prompt)
    prompt.add_argument("--query", help="the query’s first field; default: standard input")
    prompt.add_argument(
        "--field", action="append", default=[], metavar="NAME=VALUE", help="another field"
    )
    prompt.add_argument("--shots", type=int, default=0, help="examples before the query")
    prompt.add_argument("--show", action="store_true", help="print the prompt as well")
    prompt.set_defaults(run=_prompt)


def add_evaluate(commands: Any) -> None:
    """The parser of ``lmlab evaluate``."""
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a prompt template on a labelled set",
        description="Accuracy, with bootstrap intervals, and log-likelihood of the true answers.",
    )
    _add_common(evaluate)
    evaluate.add_argument("--shots", default="0", help="one number or several: 0,1,2,4")
    evaluate.add_argument("--draws", type=int, default=1, help="sets of examples for each number")
    evaluate.add_argument("--limit", type=int, help="most queries; default: all")
    evaluate.add_argument("--split", choices=["test", "valid"], default="test")
    evaluate.add_argument("--way", choices=WAYS, default="sum", help="how a label is chosen")
    evaluate.add_argument("--csv", action="store_true", help="print every prediction as CSV")
    evaluate.set_defaults(run=_evaluate)


def _add_common(command: Any) -> None:
    command.add_argument("--model", default="base", help="embedded name, folder or Hub id")
    command.add_argument("--template", required=True, help="a shipped name, or a YAML file")
    command.add_argument("--data", help="a shipped set, or a JSONL, CSV or TSV file")
    command.add_argument(
        "--map", action="append", default=[], metavar="FIELD=COLUMN", help="name a file’s columns"
    )
    command.add_argument("--seed", type=int, default=0, help="of the examples that are drawn")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def template_of(name: str) -> "PromptTemplate":
    """A shipped template, or one from a file."""
    from lmlab.templates import PromptTemplate
    from lmlab.wordings import shipped_template

    path = Path(name)
    if not path.is_file():
        return shipped_template(name)
    try:
        return PromptTemplate.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read: {error}.") from error


def dataset_of(
    name: str | None,
    template: "PromptTemplate",
    maps: Sequence[str] = (),
    seed: int = 0,
    split: str = "test",
) -> "Dataset":
    """A shipped set, or a file cut in two."""
    from lmlab import data

    wanted = name or template.data
    if not wanted:
        raise InputError("The template names no data set.", "Name one with --data.")
    if wanted in data.shipped_sets():
        return data.shipped(wanted, split)
    path = Path(wanted)
    if not path.is_file():
        sets = ", ".join(data.shipped_sets())
        raise InputError(f"There is no data named ‘{wanted[:60]}’.", f"There are: {sets}.")
    table = data.read_file(path)
    if maps:
        table = table.mapped({**{c: c for c in table.columns}, **dict(map(_pair, maps))})
    return data.split(table, seed)


def _prompt(arguments: argparse.Namespace) -> None:
    template = template_of(arguments.template)
    if not template.fields:
        raise InputError("The template’s query has no field.")
    text = sys.stdin.read().rstrip("\n") if arguments.query is None else arguments.query
    query = {template.fields[0]: text, **dict(map(_pair, arguments.field))}
    examples = []
    if arguments.shots:
        from lmlab.protocols import draw

        found = dataset_of(arguments.data, template, arguments.map, arguments.seed)
        found.check(template.columns)
        examples = draw(found.pool, arguments.shots, arguments.seed)
    with _lab() as lab:
        said = _answered(lab, arguments.model, template, examples, query)
    if arguments.json:
        _dump(said)
        return
    if arguments.show:
        print(f"{said['prompt']}⟶{said['completion']}\n")
    if said["labels"]:
        for label, p in said["labels"].items():
            print(f"{label}\t{p:.4f}")
    print(said["answer"] if said["answer"] is not None else f"(no answer: {said['reason']})")


def _answered(
    lab: Any, model: str, template: "PromptTemplate", examples: Any, query: Any
) -> dict[str, Any]:
    """Ask one query and gather what there is to say about it."""
    from lmlab.completions import Step
    from lmlab.queried import Asked, Weighed
    from lmlab.reading import Answer

    said: dict[str, Any] = {"model": model, "template": template.name, "completion": ""}
    said |= {"shots": len(examples), "labels": None}
    for event in lab.prompts.run(model, template, examples, query):
        if isinstance(event, Asked):
            said |= {"prompt": event.prompt.text, "n_tokens": event.n_tokens}
        elif isinstance(event, Step):
            said["completion"] += event.shown
        elif isinstance(event, Answer):
            said |= {"answer": event.value, "reason": event.reason}
        elif isinstance(event, Weighed):
            said["labels"] = dict(zip(event.labels, event.probabilities, strict=True))
            said |= {"answer": event.choices["sum"], "reason": ""}
    return said


def _evaluate(arguments: argparse.Namespace) -> None:
    from lmlab.protocols import Protocol

    if arguments.csv and arguments.json:
        raise InputError("Choose one of --json and --csv.")
    template = template_of(arguments.template)
    found = dataset_of(arguments.data, template, arguments.map, arguments.seed, arguments.split)
    protocol = Protocol(
        draws=arguments.draws, seed=arguments.seed, limit=arguments.limit, way=arguments.way
    )
    shots = _numbers(arguments.shots)
    with _lab() as lab:
        results = list(_measured(lab, arguments.model, template, found, protocol, shots))
    if arguments.csv:
        from lmlab.answersheet import to_csv

        sys.stdout.write(to_csv(results))
    elif arguments.json:
        _dump(
            {
                "model": arguments.model,
                "template": template.name,
                "data": found.name,
                "results": [result.to_dict() for result in results],
            }
        )
    else:
        _print(results)


def _measured(
    lab: Any,
    model: str,
    template: "PromptTemplate",
    found: "Dataset",
    protocol: "Protocol",
    shots: Sequence[int],
) -> "Iterator[Evaluation]":
    """The results by number of shots; progress on standard error where that is a terminal."""
    lab.prompts.prepare()
    from lmlab.studies import Cell, Studying, iter_study, shots_study

    designs = shots_study(model, template, found, protocol, shots)
    for event in iter_study(lab.store.borrow, designs):
        if isinstance(event, Studying) and sys.stderr.isatty():
            print(f"\r{event.label} shots: {event.done}/{event.total} ", end="", file=sys.stderr)
        elif isinstance(event, Cell) and event.final:
            yield event.evaluation
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)


def _print(results: "Sequence[Evaluation]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("shots", "accuracy", "95 %", "over draws", "NLL, nats", "queries", box=None)
    for one in results:
        found = one.accuracy
        table.add_row(
            str(one.shots),
            f"{found.mean:.3f}",
            f"{found.low:.3f} – {found.high:.3f}",
            f"± {one.spread:.3f}" if one.draws > 1 else "",
            f"{one.nll.mean:.3f}",
            f"{one.n} × {one.draws}",
        )
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{results[0].model}, {results[0].template}, {results[0].data}", markup=False)
    console.print(table)
    for note in dict.fromkeys(note for one in results for note in one.notes):
        console.print(note, markup=False)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InputError(
            f"‘{text[:40]}’ is no list of numbers.", "For instance --shots 0,1,2,4."
        ) from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"‘{text[:40]}’ has no ‘=’.", "Write NAME=VALUE.")
    return name.strip(), value


def _dump(value: dict[str, Any]) -> None:
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not utf8, allow_nan=False) + "\n")


@contextmanager
def _lab() -> Iterator[Any]:
    """A lab of this process, with the libraries kept quiet."""
    from lmlab.lab import Lab
    from lmlab.quiet import quiet

    quiet()
    yield Lab.open()
