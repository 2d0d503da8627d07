"""The commands about fine-tuning: ``finetune`` trains, ``runs`` lists what was trained.

Under ``accelerate launch -m lmlab finetune …`` the processes share the work.
"""

import argparse
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from lmlab.errors import InputError
from lmlab.features.tuning.runs_cli import PLAIN, resumed
from lmlab.models.forms import FORMS
from lmlab.terminal.naming import ADAPTER, MODEL, add_model, asked_ref
from lmlab.terminal.run_control import OWNER, interruptible
from lmlab.terminal.run_report import report, shown
from lmlab.terminal.tables import HUB, TABLES, table_of, tell
from lmlab.training import config as configs
from lmlab.training.config import FinetuneConfig, steps_of

if TYPE_CHECKING:
    from lmlab.runs.bases import Asked
    from lmlab.runs.store import RunFolder
    from lmlab.text.sets import Table
    from lmlab.text.templates import PromptTemplate
    from lmlab.training.sets import TuningData

CHOICES = {
    "method": configs.METHODS,
    "schedule": configs.SCHEDULES,
    "start": get_args(configs.Start),
    "form": FORMS,
    "loss_on": get_args(configs.LossOn),
    "precision": get_args(configs.Precision),
}
SHORT = {"learning_rate": "--lr", "batch_size": "--batch"}
_ABOUT = {
    name.strip(): text.strip()
    for name, _, text in (
        line.partition(":")
        for line in (FinetuneConfig.__doc__ or "").replace("\n            ", " ").splitlines()
    )
    if text
}


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
        "--template", help=f"a shipped name, a YAML file, or ‘{PLAIN}’ for a column of plain text"
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
    for field in fields(FinetuneConfig):
        _add_setting(group, field.name, field.default)
    command.set_defaults(run=_finetune)


def _add_setting(group: Any, name: str, default: Any) -> None:
    """An option for a setting; what is not given stays unsaid."""
    names = [f"--{name.replace('_', '-')}", *filter(None, [SHORT.get(name)])]
    about = _ABOUT.get(name, "").replace("``", "").replace("%", "%%")
    kept: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": about}
    if isinstance(default, bool):
        group.add_argument(*names, action=argparse.BooleanOptionalAction, **kept)
    elif isinstance(default, tuple):
        group.add_argument(*names, type=_listed, metavar="A,B", **kept)
    else:
        kind = {"choices": CHOICES[name]} if name in CHOICES else {"type": type(default)}
        group.add_argument(*names, **kind, **kept)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _finetune(arguments: argparse.Namespace) -> None:
    given = {f.name: vars(arguments)[f.name] for f in fields(FinetuneConfig) if f.name in arguments}
    if arguments.epochs is not None and "steps" in given:
        raise InputError("Both --steps and --epochs are given.", "Leave one of them out.")
    from lmlab.terminal.quiet import quiet

    quiet()
    from lmlab.settings import Settings
    from lmlab.training.events import Finished, Started

    accelerator = _accelerator()
    leads = accelerator is None or accelerator.is_main_process
    settings = Settings()
    folder = _folder(arguments, given, settings, accelerator)
    limit = {"max_train_seconds": arguments.max_seconds or 1e12}
    started: Started | None = None
    finished: Finished | None = None
    from lmlab.runs.worker import train, tried

    with interruptible() as should_stop:
        events = train(
            folder,
            settings.model_copy(update=limit),
            should_stop=should_stop,
            accelerator=accelerator,
        )
        if leads and not arguments.resume:
            events = tried(folder, events)
        for event in shown(events, folder.spec.config.steps, leads):
            started = event if isinstance(event, Started) else started
            finished = event if isinstance(event, Finished) else finished
    if accelerator is not None:
        accelerator.end_training()
    if leads and started and finished:
        report(folder, started, finished, arguments.json)


def _folder(
    arguments: argparse.Namespace, given: dict[str, Any], settings: Any, accelerator: Any
) -> "RunFolder":
    """The run's folder, new or to be gone on with; one process makes it, all use it."""
    from lmlab.runs.store import RunFolder, Runs, default_root

    if accelerator is not None and arguments.out is None:
        raise InputError("Several processes need to know the folder.", "Name it with --out.")
    if accelerator is None or accelerator.is_main_process:
        if arguments.resume:
            folder = resumed(arguments, given)
            if accelerator is not None:
                accelerator.wait_for_everyone()
            return folder
        if arguments.out is None:
            runs = Runs(settings.runs_dir or default_root())
            return runs.new(OWNER, *_asked(arguments, given))
        from lmlab.runs.store import new_spec

        asked = _asked(arguments, given)
        spec = new_spec(arguments.out.resolve().name, OWNER, *asked)
        folder = RunFolder.create(arguments.out, spec, asked[1])
        if accelerator is not None:
            accelerator.wait_for_everyone()
        return folder
    accelerator.wait_for_everyone()
    return RunFolder(arguments.out)


def _asked(
    arguments: argparse.Namespace, given: dict[str, Any]
) -> "tuple[str, TuningData, PromptTemplate | None, FinetuneConfig, str]":
    """Base, data, template, config and adapter of a new run."""
    from lmlab.runs.bases import settled
    from lmlab.runs.model_store import ModelStore
    from lmlab.training.sets import shipped_data

    name = arguments.data or "qa"
    skip = bool(given.get("skip_bad"))
    table = _table(arguments, name, skip)
    template = _template(arguments, name, table)
    form = {"form": template.form} if template and template.form else {}
    asked = settled(str(asked_ref(arguments)), ModelStore(), {**form, **given})
    tell(asked.chosen)
    found = shipped_data(name) if table is None else _data(arguments, table, template, asked.config)
    asked = _counted(asked, arguments.epochs, len(found.train))
    _check(asked, found, template)
    return asked.base, found, template, asked.config, asked.adapter


def _counted(asked: "Asked", epochs: float | None, rows: int) -> "Asked":
    """With the steps of so many epochs, where those are asked for."""
    if epochs is None:
        return asked
    config = asked.config
    steps = steps_of(epochs, rows, config.batch_size, config.accumulation)
    tell([f"{epochs:g} epochs of {rows:,} rows are {steps:,} steps."])
    return replace(asked, config=replace(config, steps=steps))


def _check(asked: "Asked", found: "TuningData", template: "PromptTemplate | None") -> None:
    """Refuse what cannot work before a folder is made for it."""
    from lmlab.text.chat import check_form
    from lmlab.training.counting import count
    from lmlab.training.examples import columns_of

    found.check(columns_of(template))
    count(asked.outline.shape, asked.config)
    check_form(asked.outline.vocabulary, asked.config.form)


def _template(
    arguments: argparse.Namespace, data_name: str, table: "Table | None"
) -> "PromptTemplate | None":
    from lmlab.terminal.tables import template_of
    from lmlab.text.wordings import fitting_wording, shipped_templates

    name = arguments.template
    if name == PLAIN:
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
    from lmlab.training.examples import reads_of
    from lmlab.training.sets import split_table

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
