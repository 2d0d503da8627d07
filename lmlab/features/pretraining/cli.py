"""``lmlab pretrain``: a small language model from nothing on one text.

Ctrl-C ends a run after its current step and keeps what it learned.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.options import add_flags, given
from lmlab.terminal.quiet import quiet, write_json
from lmlab.terminal.run_control import OWNER, interruptible, longer, named, unfinished
from lmlab.terminal.run_report import print_table, shown
from lmlab.training.corpus import NAMES
from lmlab.training.pretrain_config import SIZES, PretrainConfig

if TYPE_CHECKING:
    from lmlab.runs.store import RunFolder
    from lmlab.training.events import Finished, Levels, Sampled, Started
    from lmlab.training.sets import TuningData

DEMO = "tiny"
MOST_DOCUMENTS = 10_000_000


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
    add_flags(group, PretrainConfig(), unsaid=True)
    command.set_defaults(run=_pretrain)


def _pretrain(arguments: argparse.Namespace) -> None:
    settled = given(PretrainConfig, arguments)
    quiet()
    from lmlab.runs.worker import train, tried
    from lmlab.settings import Settings
    from lmlab.training.events import Finished, Levels, Sampled, Started

    settings = Settings()
    make = _resumed if arguments.resume else _new
    folder = make(arguments, settled, settings)
    limited = settings.model_copy(update={"max_train_seconds": arguments.max_seconds or 1e12})
    last: dict[type[Any], Any] = {}
    with interruptible() as should_stop:
        made = train(folder, limited, should_stop=should_stop)
        made = made if arguments.resume else tried(folder, made)
        for event in _told(shown(made, folder.spec.config.steps, True)):
            # Of what is said several times, a sample say, the latest counts.
            last[type(event)] = event
    # A run that went on said its levels at its first start.
    earlier = (one for one in reversed(folder.events()) if isinstance(one, Levels))
    levels, finished = last.get(Levels) or next(earlier, None), last[Finished]
    if arguments.json:
        _write(folder, last[Started], finished, levels, last.get(Sampled))
    else:
        _print(folder, last[Started], finished, levels)
    if finished.reason == "nan":
        raise InputError(finished.message)


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


def _new(arguments: argparse.Namespace, settled: dict[str, Any], settings: Any) -> "RunFolder":
    from lmlab.runs.store import RunFolder, Runs, default_root, new_pretraining
    from lmlab.training.corpus import shipped_corpus

    config = PretrainConfig.sized(arguments.size or DEMO, **settled)
    name = arguments.data or NAMES[0]
    if name not in NAMES and Path(name).is_file():
        data = _documents(Path(name), arguments.column or "")
    else:
        data = shipped_corpus(name)
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


def _resumed(arguments: argparse.Namespace, settled: dict[str, Any], _: Any) -> "RunFolder":
    """The run in --out, if nothing else is asked for than then."""
    folder = named(arguments.out)
    then = folder.spec.pretraining
    if then is None:
        raise InputError(
            f"The run in ‘{arguments.out.name}’ fine-tunes.", "Go on with lmlab finetune."
        )
    settled, steps = longer(settled, then.steps)
    shape = {} if arguments.size is None else SIZES[arguments.size]._asdict()
    wanted = PretrainConfig(**{**then.to_dict(), **shape, **settled})
    changed = then.changed(wanted)
    if arguments.data and Path(arguments.data).name != folder.spec.data:
        changed.append(f"data is {folder.spec.data}, not {Path(arguments.data).name}")
    return unfinished(folder, changed, steps)


def _write(
    folder: "RunFolder",
    started: "Started",
    finished: "Finished",
    levels: "Levels | None",
    sample: "Sampled | None",
) -> None:
    write_json(
        {
            "run": str(folder.path),
            "steps": finished.step,
            "parameters": started.total,
            "train_loss": finished.train_loss,
            "valid_loss_before": finished.valid_before,
            "valid_loss": finished.valid_loss,
            "bits_per_byte": finished.bits,
            "uniform": levels.uniform if levels else None,
            "unigram": levels.unigram if levels else None,
            "base": levels.base if levels else None,
            "sample": sample.text if sample else None,
            "seconds": round(finished.seconds, 3),
            "model": str(folder.path / finished.path) if finished.path else None,
            "reason": finished.reason,
        }
    )


def _print(
    folder: "RunFolder", started: "Started", finished: "Finished", levels: "Levels | None"
) -> None:
    rows = [("before", finished.valid_before), ("after", finished.valid_loss)]
    if levels is not None:
        rows += [
            ("every token equally likely, ln V", levels.uniform),
            ("frequencies of the tokens alone", levels.unigram),
            (f"the shipped {levels.base_name}", levels.base),
        ]
    shown = [(name, f"{value:.4f}") for name, value in rows if value is not None]
    each = f", {finished.bits:.3f} bits per byte" if finished.bits is not None else ""
    head, learned = ("held-out loss", "nats a token"), f"{started.total:,} parameters"
    print_table(head, shown, folder, finished, learned, each)
