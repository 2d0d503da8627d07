"""The commands about fine-tuning: ``finetune`` trains, ``runs`` lists what was trained.

Under ``accelerate launch -m lmlab finetune …`` the processes share the work.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.features.tuning.runs_cli import NONE, resumed
from lmlab.options import add_flags, given
from lmlab.terminal.naming import ADAPTER, MODEL, add_model, asked_ref
from lmlab.terminal.run_control import OWNER, interruptible
from lmlab.terminal.run_report import report, shown
from lmlab.terminal.tables import HUB, TABLES, table_of, tell
from lmlab.terminal.watched import waiting
from lmlab.training.config import FinetuneConfig, steps_of

if TYPE_CHECKING:
    from lmlab.runs.store import RunFolder
    from lmlab.text.sets import Table
    from lmlab.text.templates import PromptTemplate
    from lmlab.training.sets import TuningData


def add_finetune(commands: Any) -> None:
    """The parser of ``lmlab finetune``."""
    command = commands.add_parser(
        "finetune",
        help="tune a model on a labelled set: full, selective, LoRA or prompt tuning",
        description="Ctrl-C ends a run after its current step and keeps what it learned.",
    )
    add_model(command, None, f"{MODEL}; default: base", f"{ADAPTER}; training goes on from it")
    command.add_argument("--data", help=f"a shipped set; {TABLES}; default: qa")
    command.add_argument(
        "--map", action="append", default=[], metavar="FIELD=COLUMN", help="name a file’s columns"
    )
    command.add_argument("--split", default="train", help="of a set of the Hub")
    command.add_argument(
        "--template", help=f"a shipped name, a YAML file, or ‘{NONE}’ for a column of plain text"
    )
    command.add_argument(
        "--valid", metavar="DATA", help="hold these rows out, and no others; as --data"
    )
    command.add_argument("--held-out", type=float, default=0.1, help="share of a file’s rows")
    command.add_argument("--out", type=Path, help="the run’s folder; default: among the others")
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out; more --steps make it longer, its schedule stretched",
    )
    command.add_argument("--epochs", type=float, metavar="N", help="in place of --steps")
    command.add_argument("--max-seconds", type=float, help="end it after so long")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    group = command.add_argument_group("method and training")
    add_flags(group, FinetuneConfig(), unsaid=True)
    command.set_defaults(run=_finetune)


def _finetune(arguments: argparse.Namespace) -> None:
    settled = given(FinetuneConfig, arguments)
    if arguments.epochs is not None and "steps" in settled:
        raise InputError("Both --steps and --epochs are given.", "Leave one of them out.")
    from lmlab.terminal.quiet import quiet

    quiet()
    from lmlab.runs.worker import train, tried
    from lmlab.settings import Settings
    from lmlab.training.events import Finished, Started

    accelerator = _accelerator()
    leads = accelerator is None or accelerator.is_main_process
    settings = Settings()
    folder = _folder(arguments, settled, settings, accelerator)
    limited = settings.model_copy(update={"max_train_seconds": arguments.max_seconds or 1e12})
    last: dict[type[Any], Any] = {}
    with interruptible() as should_stop:
        events = train(folder, limited, should_stop=should_stop, accelerator=accelerator)
        if leads and not arguments.resume:
            events = tried(folder, events)
        for event in shown(events, folder.spec.config.steps, leads):
            last[type(event)] = event
    if accelerator is not None:
        accelerator.end_training()
    if leads:
        report(folder, last[Started], last[Finished], arguments.json)


def _folder(
    arguments: argparse.Namespace, settled: dict[str, Any], settings: Any, accelerator: Any
) -> "RunFolder":
    """The run's folder, new or to be gone on with; one process makes it, all use it."""
    from lmlab.runs.store import RunFolder

    if accelerator is None:
        return _made(arguments, settled, settings)
    if arguments.out is None:
        raise InputError("Several processes need to know the folder.", "Name it with --out.")
    if accelerator.is_main_process:
        _made(arguments, settled, settings)
    accelerator.wait_for_everyone()
    return RunFolder(arguments.out)


def _made(arguments: argparse.Namespace, settled: dict[str, Any], settings: Any) -> "RunFolder":
    from lmlab.runs.store import RunFolder, Runs, default_root, new_spec

    if arguments.resume:
        return resumed(arguments, settled)
    asked = _asked(arguments, settled)
    if arguments.out is None:
        return Runs(settings.runs_dir or default_root()).new(OWNER, *asked)
    spec = new_spec(arguments.out.resolve().name, OWNER, *asked)
    return RunFolder.create(arguments.out, spec, asked[1])


def _asked(
    arguments: argparse.Namespace, known: dict[str, Any]
) -> "tuple[str, TuningData, PromptTemplate | None, FinetuneConfig, str]":
    """Base, data, template, config and adapter of a new run."""
    from lmlab.runs.bases import settled
    from lmlab.runs.model_store import ModelStore
    from lmlab.text.chat import check_form
    from lmlab.training.counting import count
    from lmlab.training.sets import columns_of, shipped_data

    name = arguments.data or "qa"
    skip = bool(known.get("skip_bad"))
    table = _table(arguments, name, skip)
    template = _template(arguments, name, table)
    form = {"form": template.form} if template and template.form else {}
    with waiting("Looking at the model …") as say:
        base = str(asked_ref(arguments))
        asked = settled(base, ModelStore(), {**form, **known}, on_progress=say)
    tell(asked.chosen)
    found = shipped_data(name) if table is None else _data(arguments, table, template, asked.config)
    config = asked.config
    if (epochs := arguments.epochs) is not None:
        rows = len(found.train)
        steps = steps_of(epochs, rows, config.batch_size, config.accumulation)
        tell([f"{epochs:g} epochs of {rows:,} rows are {steps:,} steps."])
        config = replace(config, steps=steps)
    # What cannot work is refused before a folder is made for it.
    found.check(columns_of(template))
    count(asked.outline.shape, config)
    check_form(asked.outline.vocabulary, config.form)
    return asked.base, found, template, config, asked.adapter


def _template(
    arguments: argparse.Namespace, data_name: str, table: "Table | None"
) -> "PromptTemplate | None":
    from lmlab.terminal.tables import template_of
    from lmlab.text.wordings import fitting_wording, shipped_templates

    name = arguments.template
    if name == NONE:
        return None
    if name:
        return template_of(name)
    if table is not None:
        return fitting_wording(table.columns, chat=table.chats)
    fitting = [one for one in shipped_templates().values() if one.data == data_name]
    return min(fitting, key=lambda one: not one.tuned) if fitting else None


def _table(arguments: argparse.Namespace, name: str, skip: bool) -> "Table | None":
    """The table of a name; None for a set that ships."""
    from lmlab.text.sets import shipped_sets

    if name in shipped_sets():
        return None
    return table_of(name, arguments.map, split=arguments.split, skip=skip)


def _data(
    arguments: argparse.Namespace,
    table: "Table",
    template: "PromptTemplate | None",
    config: FinetuneConfig,
) -> "TuningData":
    """A table in two parts; what became of its rows is told."""
    from lmlab.training.sets import reads_of, split_table

    found = split_table(
        table,
        seed=config.seed,
        held_out=arguments.held_out,
        origin="hub" if (arguments.data or "").startswith(HUB) else "file",
        reads=reads_of(template),
        skip=config.skip_bad,
        second=_table(arguments, arguments.valid, config.skip_bad) if arguments.valid else None,
    )
    tell(found.notes)
    return found


def _accelerator() -> Any:
    """What shares the work among processes, where accelerate (or torchrun) has started several."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return None
    from accelerate import Accelerator

    from lmlab.settings import Settings

    return Accelerator(cpu=Settings().device == "cpu")
