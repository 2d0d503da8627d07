"""The command ``evaluate``: a prompt design measured, or one thing about it changed."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.features.prompt.cli import TEMPLATE, add_common, dataset_of, open_lab
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.lab import Lab, import_core
from lmlab.options import read
from lmlab.terminal.naming import ADAPTER, MODEL, asked_models
from lmlab.terminal.quiet import write_json
from lmlab.terminal.tables import template_of
from lmlab.terminal.watched import counting
from lmlab.text.harness import TaskTemplate
from lmlab.text.protocols import Protocol
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import wordings_like

if TYPE_CHECKING:
    from lmlab.features.prompt.studies import Design, Steps
    from lmlab.models.model import LM

STUDIES = ("shots", "templates", "order", "models")

Labelled = tuple[str, Evaluation]


def add_evaluate(commands: Any) -> None:
    """The parser of ``lmlab evaluate``."""
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a prompt template on a labelled set",
        description="Accuracy, with bootstrap intervals, and log-likelihood of the true answers.",
    )
    add_common(evaluate)
    evaluate.add_argument("--model", action="append", help=f"{MODEL}; once for each of --study")
    evaluate.add_argument("--adapter", action="append", help=f"{ADAPTER}; once for each of --study")
    evaluate.add_argument("--template", action="append", required=True, help=TEMPLATE)
    evaluate.add_argument(
        "--study", choices=STUDIES, default="shots",
        help="what changes: the number of shots; the wording (the templates named, or all shipped "
        "ones for the same data); the order of the same examples; the model",
    )  # fmt: skip
    evaluate.add_argument("--shots", default="0", help="one number, or for shots several: 0,1,2,4")
    evaluate.add_argument("--split", default="test", help="test or valid; of the Hub, any")
    evaluate.add_argument("--csv", action="store_true", help="print every prediction as CSV")
    evaluate.set_defaults(run=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> None:
    if arguments.csv and arguments.json:
        raise InputError("Choose one of --json and --csv.")
    models = asked_models(arguments.model or ["base"], arguments.adapter or ())
    study = arguments.study
    for several, name, wanted in (
        (models, "--model", "models"),
        (arguments.template, "--template", "templates"),
    ):
        if len(several) > 1 and study != wanted:
            raise InputError(f"Several of {name} need --study {wanted}.")
    templates = [template_of(name, tasks=True) for name in arguments.template]
    if len(templates) > 1 and any(isinstance(one, TaskTemplate) for one in templates):
        raise InputError("A task file is measured alone.", "Name one --template.")
    shots = any(_numbers(arguments.shots))
    found = dataset_of(arguments, templates[0], split=arguments.split, shots=shots)
    lab = open_lab()
    import_core()
    designs = _designs(arguments, models, templates, found)
    results = list(_measured(lab, designs))
    if arguments.csv:
        from lmlab.features.prompt.views import to_csv

        sys.stdout.write(to_csv([result for _, result in results]))
    elif arguments.json:
        write_json(_as_dict(study, designs, results))
    else:
        _print(study, results)


def _designs(
    arguments: argparse.Namespace,
    models: Sequence[str],
    templates: Sequence[PromptTemplate],
    found: Dataset,
) -> "list[Design]":
    """What to measure."""
    from lmlab.features.prompt import studies

    shots = _numbers(arguments.shots)
    design = studies.Design("", models[0], templates[0], found, read(Protocol, arguments))
    if arguments.study == "shots":
        return studies.shots_study(design, shots)
    if len(shots) != 1:
        raise InputError(f"The study of {arguments.study} takes one number of shots.")
    design = replace(design, protocol=replace(design.protocol, shots=shots[0]))
    if arguments.study == "order":
        return studies.order_study(design)
    if arguments.study == "models":
        return studies.models_study(design, models)
    wordings = templates if len(templates) > 1 else [templates[0], *wordings_like(templates[0])]
    if len(wordings) < 2:
        raise InputError("There is no other wording for this.", "Name others with --template.")
    return studies.templates_study(design, wordings)


def _measured(lab: Lab, designs: "Sequence[Design]") -> Iterator[Labelled]:
    """Each design's label and result; progress on standard error where that is a terminal."""
    from lmlab.features.prompt.studies import ask_design, iter_study

    with counting("rows") as tell:

        def borrow(name: str) -> "AbstractContextManager[LM]":
            return lab.store.borrow(name, lambda said: tell(said, 0, 0))

        def ask(design: "Design", *asked: Any) -> "Steps":
            with borrow(design.model) as lm:
                yield from ask_design(lm, design, *asked)

        for design in designs:  # loading takes nothing of the time
            with borrow(design.model):
                pass
        for cell in iter_study(ask, designs, lab.settings.study_seconds):
            tell(cell.label or designs[0].model, cell.done, cell.total)
            if cell.final and cell.evaluation is not None:
                yield cell.label, cell.evaluation


def _as_dict(
    study: str, designs: "Sequence[Design]", results: Sequence[Labelled]
) -> dict[str, Any]:
    """The documented object; other studies than shots say which, and name each result."""
    first = results[0][1]
    value: dict[str, Any] = {
        "model": first.model,
        "template": first.template,
        "data": first.data,
        "results": [result.to_dict() for _, result in results],
    }
    if notes := dict.fromkeys(note for _, result in results for note in result.notes):
        value["notes"] = list(notes)
    if study == "shots":
        return value
    for (label, result), printed in zip(results, value["results"], strict=True):
        printed |= {"label": label, "model": result.model, "template": result.template}
    if study == "order" and designs[0].examples is not None:
        ways = designs[0].examples
        rows = list(ways[0])
        value["examples"] = [dict(row) for row in rows]
        value["orders"] = [[rows.index(row) + 1 for row in way] for way in ways]
        value["results"][0] |= {"nll_by_draw": first.nll_by_draw}
        if "calibrated" in first.by_way:
            by_draw = first.draws_by("calibrated")
            value["results"][0] |= {"accuracy_by_draw_calibrated": by_draw}
    return {"study": study, **value}


def _print(study: str, results: Sequence[Labelled]) -> None:
    from rich.table import Table
    from rich.text import Text

    from lmlab.terminal.listing import plain_console

    head = {"shots": "shots", "templates": "wording", "order": "", "models": "model"}[study]
    table = Table(head, "accuracy", "95 %", "over draws", "NLL, nats", "queries", box=None)
    for label, one in results:
        found = one.accuracy
        spread = f"± {one.spread:.3f}" if one.draws > 1 else ""
        if study == "order":
            spread = f"{min(one.by_draw):.3f} – {max(one.by_draw):.3f}"
        table.add_row(
            Text(label),
            f"{found.mean:.3f}",
            f"{found.low:.3f} – {found.high:.3f}",
            spread,
            f"{one.nll.mean:.3f}",
            f"{one.n} × {one.draws}",
        )
    first = results[0][1]
    forms = " and ".join(f"{form} form" for form in dict.fromkeys(one.form for _, one in results))
    named = [first.model, first.template, first.data, forms]
    if study in ("templates", "models"):
        named.remove(first.template if study == "templates" else first.model)
    console = plain_console()
    console.print(", ".join(named), markup=False)
    console.print(table)
    for note in dict.fromkeys(note for _, one in results for note in one.notes):
        console.print(note, markup=False)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InputError(
            f"‘{text[:40]}’ is no list of numbers.", "For instance --shots 0,1,2,4."
        ) from None
