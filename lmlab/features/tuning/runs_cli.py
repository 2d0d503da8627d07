"""Runs that there are: ``lmlab runs`` lists them, and one of them is found to go on with."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.terminal.naming import is_same_model
from lmlab.terminal.quiet import write_json
from lmlab.terminal.run_control import longer, named, unfinished

if TYPE_CHECKING:
    from lmlab.runs.store import RunFolder, RunSpec

NONE = "none"  # no wording, or no adapter
LISTED = (
    "id title model data template state step trainable total train_loss valid_loss probe_before "
    "probe_loss accuracy seconds"
).split()


def add_runs(commands: Any) -> None:
    """The parser of ``lmlab runs``."""
    runs = commands.add_parser("runs", help="list fine-tuning runs")
    runs.add_argument("folder", nargs="?", type=Path, help="look there instead")
    runs.add_argument("--json", action="store_true", help="print one JSON object")
    runs.set_defaults(run=_runs)


def resumed(arguments: argparse.Namespace, given: dict[str, Any]) -> "RunFolder":
    """The run in --out, if it was asked for with the same settings; more steps make it longer.
    Raises InputError: it is no run, is under way or done, or other settings are asked for now.
    """
    from lmlab.training.config import steps_of

    folder = named(arguments.out)
    spec, config = folder.spec, folder.spec.config
    if epochs := vars(arguments).get("epochs"):
        rows = len(folder.data(spec).train)
        steps = steps_of(epochs, rows, config.batch_size, config.accumulation)
        given = {**given, "steps": steps}
    given, steps = longer(given, config.steps)
    return unfinished(folder, _differences(arguments, given, spec), steps)


def _differences(
    arguments: argparse.Namespace, given: dict[str, Any], spec: "RunSpec"
) -> list[str]:
    """What is asked for now and was not then, in words."""
    then = {
        "model": (spec.model, _same_model),
        "adapter": (spec.adapter or NONE, lambda asked, spec: is_same_model(asked, spec.adapter)),
        "data": (spec.data, _same_data),
        "template": (spec.template.name if spec.template else NONE, _same_template),
    }
    asked = ((name, vars(arguments).get(name), *known) for name, known in then.items())
    changed = [
        f"{name} is {was}, not {text}"
        for name, text, was, same in asked
        if text is not None and not same(text, spec)
    ]
    return changed + spec.config.changed(replace(spec.config, **given))


def _same_model(asked: str, spec: "RunSpec") -> bool:
    """With the adapter that the run started from, or the base by itself."""
    from lmlab.models.refs import ModelRef

    ref = ModelRef.parse(asked)
    base, top = str(replace(ref, adapter=None)), ref.adapter or ""
    if is_same_model(asked, spec.adapter):  # run:ID is both in one
        return True
    return is_same_model(base, spec.model) and (not top or is_same_model(top, spec.adapter))


def _same_data(asked: str, spec: "RunSpec") -> bool:
    """The run has its own copy of the rows; where their file lies is no matter."""
    return spec.data in (asked, Path(asked).name, asked.partition(":")[2])


def _same_template(asked: str, spec: "RunSpec") -> bool:
    """By what a file says, not by its name; the run has its own copy of one that has gone."""
    if asked == NONE or spec.template is None:
        return asked == NONE and spec.template is None
    path = Path(asked)
    if path.is_file():
        from lmlab.terminal.tables import template_of

        mine, theirs = (
            one.model_dump(exclude={"name", "shipped"})
            for one in (template_of(asked), spec.template)
        )
        return mine == theirs
    return asked == spec.template.name or path.suffix.lower() in (".yaml", ".yml")


def _runs(arguments: argparse.Namespace) -> None:
    from lmlab.runs.store import Runs, default_root
    from lmlab.settings import Settings

    root = arguments.folder or Settings().runs_dir or default_root()
    found = sorted((one.info() for one in Runs(root).all()), key=lambda info: -info.created)
    if arguments.json:
        write_json(
            {"folder": str(root), "runs": [{k: getattr(i, k) for k in LISTED} for i in found]}
        )
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("run", "what", "state", "step", "held out", "right", box=None, header_style="dim")
    for info in found:
        valid = "" if info.valid_loss is None else f"{info.valid_loss:.4f}"
        right = "" if info.accuracy is None else f"{info.accuracy:.3f}"
        place = f"{info.step:,}/{info.config.steps:,}"
        table.add_row(info.id, Text(info.title), info.state, place, valid, right)
    Console(highlight=False, soft_wrap=True).print(
        table if found else f"There are no runs in {root}."
    )
