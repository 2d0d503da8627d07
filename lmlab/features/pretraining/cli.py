"""``lmlab pretrain``: a small language model from nothing on one text.

Ctrl-C ends a run after its current step and keeps what it learned.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.terminal.quiet import quiet, write_json
from lmlab.terminal.run_control import OWNER, interruptible, longer, unfinished
from lmlab.terminal.run_report import shown
from lmlab.training.corpus import NAMES
from lmlab.training.pretrain_config import SIZES, PretrainConfig

if TYPE_CHECKING:
    from lmlab.runs.store import RunFolder
    from lmlab.training.events import Finished, Levels, Sampled, Started
    from lmlab.training.sets import TuningData

DEMO = "tiny"
MOST_DOCUMENTS = 10_000_000
SHORT = {"learning_rate": "--lr", "batch_size": "--batch", "vocabulary": "--vocab"}
_ABOUT = {
    name.strip(): text.strip()
    for name, _, text in (
        line.partition(":")
        for line in (PretrainConfig.__doc__ or "").replace("\n            ", " ").splitlines()
    )
    if text
}


def add_pretrain(commands: Any) -> None:
    """The parser of ``lmlab pretrain``."""
    command = commands.add_parser(
        "pretrain",
        help="train a small model from nothing on a text",
        description="Trains tokenizer and model; Ctrl-C ends it and keeps what was learned.",
    )
    command.add_argument(
        "--data", help=f"a text that ships ({', '.join(NAMES)}) or a file; default: {NAMES[0]}"
    )
    command.add_argument(
        "--column", help="of a JSON, CSV or TSV file; default: text, or the likeliest"
    )
    command.add_argument("--size", choices=list(SIZES), help=f"of the model; default: {DEMO}")
    command.add_argument("--out", type=Path, help="the run’s folder; default: among the others")
    command.add_argument("--resume", action="store_true", help="go on with the run in --out")
    command.add_argument("--max-seconds", type=float, help="end it after so long")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    group = command.add_argument_group("shape and training")
    for one in fields(PretrainConfig):
        names = [f"--{one.name.replace('_', '-')}", *filter(None, [SHORT.get(one.name)])]
        group.add_argument(
            *names,
            type=type(one.default),
            dest=one.name,
            default=argparse.SUPPRESS,
            help=_ABOUT.get(one.name, "").replace("%", "%%"),
        )
    command.set_defaults(run=_pretrain)


def _pretrain(arguments: argparse.Namespace) -> None:
    known = vars(arguments)
    given = {one.name: known[one.name] for one in fields(PretrainConfig) if one.name in known}
    quiet()
    from lmlab.runs.worker import train, tried
    from lmlab.settings import Settings
    from lmlab.training.events import Finished, Levels, Sampled, Started

    settings = Settings()
    folder = _resumed(arguments, given) if arguments.resume else _new(arguments, given, settings)
    limit = {"max_train_seconds": arguments.max_seconds or 1e12}
    last: dict[type[Any], Any] = {}
    with interruptible() as should_stop:
        made = train(folder, settings.model_copy(update=limit), should_stop=should_stop)
        made = made if arguments.resume else tried(folder, made)
        for event in _told(shown(made, folder.spec.config.steps, True)):
            # Of what is said several times, a sample say, the latest counts.
            last[type(event)] = event
    levels = last.get(Levels) or _levels(folder)
    _report(
        folder, last[Started], last[Finished], levels, last.get(Sampled), as_json=arguments.json
    )


def _told(events: Iterator[Any]) -> Iterator[Any]:
    """The same events; where somebody watches, samples are written above the progress bar."""
    from lmlab.terminal.listing import visible_text
    from lmlab.training.events import Sampled

    watched = sys.stderr.isatty()
    for event in events:
        if watched and isinstance(event, Sampled) and event.index == 0:
            text = " ".join(visible_text(event.text).split())
            print(f"step {event.step:>5,}  {text[:160]}", file=sys.stderr)
        yield event


def _levels(folder: "RunFolder") -> "Levels | None":
    """Of a run that went on, what it said at its first start."""
    from lmlab.training.events import Levels

    return next((e for e in reversed(folder.events()) if isinstance(e, Levels)), None)


def _new(arguments: argparse.Namespace, given: dict[str, Any], settings: Any) -> "RunFolder":
    from lmlab.runs.store import RunFolder, Runs, default_root, new_pretraining
    from lmlab.training.corpus import corpus, shipped_text

    config = PretrainConfig.sized(arguments.size or DEMO, **given)
    name = arguments.data or NAMES[0]
    if name in NAMES:
        data = corpus(shipped_text(name), name, "shipped")
    elif Path(name).is_file():
        data = _documents(Path(name), arguments.column or "")
    else:
        raise InputError(
            f"There is no text named ‘{name[:60]}’.", f"There are: {', '.join(NAMES)}."
        )
    if arguments.out is None:
        runs = Runs(settings.runs_dir or default_root())
        return runs.new_pretraining(OWNER, data, config)
    spec = new_pretraining(arguments.out.resolve().name, OWNER, data, config)
    return RunFolder.create(arguments.out, spec, data)


def _documents(path: Path, column: str) -> "TuningData":
    """The documents of a file: a text, or a column of a table."""
    from lmlab.text.documents import Limits, kind_of_text, read_documents
    from lmlab.text.rows import decoded
    from lmlab.training.corpus import corpus, corpus_of

    try:
        text = decoded(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}.") from None
    except InputError as error:
        said = error.message.replace("The file", path.name, 1)
        raise InputError(said, error.hint) from None
    if kind_of_text(path.name, text) == "text":
        if column:
            raise InputError(f"{path.name} is plain text: it has no columns.")
        return corpus(text, path.name, "file")
    most = Limits(MOST_DOCUMENTS, len(text))
    return corpus_of(read_documents(text, path.name, most, column=column), path.name, "file")


def _resumed(arguments: argparse.Namespace, given: dict[str, Any]) -> "RunFolder":
    """The run in --out, if nothing else is asked for than then."""
    from lmlab.runs.store import RunFolder

    if arguments.out is None:
        raise InputError("Which run is to go on?", "Name its folder with --out.")
    folder = RunFolder(arguments.out)
    then = folder.spec.pretraining
    if then is None:
        raise InputError(
            f"The run in ‘{arguments.out.name}’ fine-tunes.", "Go on with lmlab finetune."
        )
    given, steps = longer(given, then.steps)
    shape = {} if arguments.size is None else vars(SIZES[arguments.size])
    wanted = PretrainConfig(**{**then.to_dict(), **shape, **given})
    changed = [
        f"{name.replace('_', ' ')} is {old}, not {new}"
        for name, (old, new) in then.difference(wanted).items()
    ]
    if arguments.data and Path(arguments.data).name != folder.spec.data:
        changed.append(f"data is {folder.spec.data}, not {Path(arguments.data).name}")
    if changed:
        raise InputError(
            f"The run in ‘{arguments.out.name}’ has other settings: {'; '.join(changed)}.",
            "Leave them out to go on with it, or start another run.",
        )
    return unfinished(folder, steps)


def _report(
    folder: "RunFolder",
    started: "Started",
    finished: "Finished",
    levels: "Levels | None",
    sample: "Sampled | None",
    *,
    as_json: bool,
) -> None:
    bits = finished.bits
    if as_json:
        write_json(
            {
                "run": str(folder.path),
                "steps": finished.step,
                "parameters": started.total,
                "train_loss": finished.train_loss,
                "valid_loss_before": finished.valid_before,
                "valid_loss": finished.valid_loss,
                "bits_per_byte": bits,
                "uniform": levels.uniform if levels else None,
                "unigram": levels.unigram if levels else None,
                "base": levels.base if levels else None,
                "sample": sample.text if sample else None,
                "seconds": round(finished.seconds, 3),
                "model": str(folder.path / finished.path) if finished.path else None,
                "reason": finished.reason,
            }
        )
    else:
        _print(folder, started, finished, levels, bits)
    if finished.reason == "nan":
        raise InputError(finished.message)


def _print(
    folder: "RunFolder",
    started: "Started",
    finished: "Finished",
    levels: "Levels | None",
    bits: float | None,
) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("held-out loss", "nats a token", box=None, header_style="dim")
    rows = [("before", finished.valid_before), ("after", finished.valid_loss)]
    if levels is not None:
        rows += [
            ("every token equally likely, ln V", levels.uniform),
            ("frequencies of the tokens alone", levels.unigram),
            (f"the shipped {levels.base_name}", levels.base),
        ]
    for name, value in rows:
        if value is not None:
            table.add_row(name, f"{value:.4f}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    each = f", {bits:.3f} bits per byte" if bits is not None else ""
    console.print(
        f"{finished.step:,} steps, {started.total:,} parameters, {finished.seconds:.1f} s{each}"
        f"{f'; {finished.message}' if finished.message else ''}",
        markup=False,
    )
    if finished.path:
        console.print(str(folder.path / finished.path), markup=False)
