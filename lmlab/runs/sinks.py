"""A run's events told to what people watch runs with: TensorBoard, Trackio, both extras.

Figures have the names that Weights & Biases and the trainers of transformers made usual. A sink
that breaks is left out from then on, and the log says so: no run ends for one.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any, Protocol

from lmlab.errors import InputError
from lmlab.runs.specs import RunSpec, title_of
from lmlab.settings import Settings
from lmlab.training.events import Evaluated, Finished, Sampled, Started, TrainEvent, TrainStep

log = logging.getLogger("lmlab")
Figures = Mapping[str, float]


class Sink(Protocol):
    """What takes a run's figures."""

    def figures(self, step: int, values: Figures) -> None: ...
    def text(self, step: int, name: str, text: str) -> None: ...
    def close(self) -> None: ...


def told(events: Iterator[TrainEvent], spec: RunSpec, settings: Settings) -> Iterator[TrainEvent]:
    """The events, each told to the sinks of the settings on its way.

    Raises:
        InputError: the package of a sink is not installed; before anything is learned.
    """
    makers = _makers(spec, settings)
    sinks: list[Sink] = []
    try:
        for event in events:
            if isinstance(event, Started):
                sinks = [made for make in makers if (made := _tried(make, event.first))]
            sinks = [sink for sink in sinks if _lives(sink, event)]
            yield event
    finally:
        for sink in sinks:
            _tried(sink.close)


def _tried(call: Callable[..., Any], *given: Any) -> Any:
    """What a call gives; None where it breaks, which the log says."""
    try:
        return call(*given)
    except Exception as error:
        log.warning("A run is no longer told elsewhere: %s: %s", type(error).__name__, error)
        return None


def _lives(sink: Sink, event: TrainEvent) -> bool:
    if _tried(_take, sink, event):
        return True
    _tried(sink.close)
    return False


def _take(sink: Sink, event: TrainEvent) -> bool:
    if isinstance(event, TrainStep | Evaluated | Finished):
        if values := {k: v for k, v in _figures(event).items() if v is not None}:
            sink.figures(event.step, values)
    elif isinstance(event, Sampled):
        sink.text(event.step, f"samples/{event.index}", f"{event.prompt}⟶{event.text}")
    return True


def _figures(event: TrainStep | Evaluated | Finished) -> dict[str, float | None]:
    if isinstance(event, TrainStep):
        return {
            "train/loss": event.loss, "train/learning_rate": event.learning_rate,
            "train/grad_norm": event.grad_norm, "train/tokens": float(event.tokens),
        }  # fmt: skip
    if isinstance(event, Evaluated):
        return {
            "eval/loss": event.valid_loss, "eval/general_loss": event.probe_loss,
            "eval/accuracy": event.accuracy, "eval/bits_per_byte": event.bits,
        }  # fmt: skip
    return {"eval/forgetting": event.forgetting}


def _makers(spec: RunSpec, settings: Settings) -> list[Callable[[int], Sink]]:
    # A whole id opens a run, and is told nobody.
    name = f"{re.sub(r'[^a-z0-9]+', '-', title_of(spec).lower()).strip('-')[:60]}-{spec.id[:4]}"
    config = (spec.pretraining or spec.config).to_dict()
    found: list[Callable[[int], Sink]] = []
    if settings.tensorboard:
        writer = _package("torch.utils.tensorboard", "tensorboard").SummaryWriter
        folder = str(settings.tensorboard / name)
        found.append(lambda first: TensorBoard(writer(folder, purge_step=first + 1), config))
    if settings.trackio:
        package = _package("trackio", "trackio")
        found.append(lambda first: Trackio(package, settings.trackio, name, config))
    return found


def _package(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise InputError(
            f"Runs are to be told to {extra}, which is not installed.",
            f"pip install 'lmlab[{extra}]', or unset LMLAB_{extra.upper()}.",
        ) from None


class TensorBoard:
    """Event files in a folder: ``tensorboard --logdir FOLDER`` shows them."""

    def __init__(self, writer: Any, config: Mapping[str, Any]) -> None:
        self._writer = writer
        rows = "\n".join(f"| {name} | {value} |" for name, value in config.items())
        writer.add_text("config", f"| setting | |\n|---|---|\n{rows}")

    def figures(self, step: int, values: Figures) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def text(self, step: int, name: str, text: str) -> None:
        self._writer.add_text(name, text, step)

    def close(self) -> None:
        self._writer.close()


class Trackio:
    """A project of Trackio: ``trackio show`` opens it."""

    def __init__(self, package: Any, project: str, name: str, config: Mapping[str, Any]) -> None:
        self._finish = package.finish
        with redirect_stdout(sys.stderr):  # where commands print, nothing else may stand
            self._run = package.init(
                project=project, name=name, config=dict(config), resume="allow", embed=False,
                auto_log_cpu=False, auto_log_gpu=False,
            )  # fmt: skip

    def figures(self, step: int, values: Figures) -> None:
        self._run.log(dict(values), step=step)

    def text(self, step: int, name: str, text: str) -> None:
        self._run.log({name: text}, step=step)

    def close(self) -> None:
        with redirect_stdout(sys.stderr):
            self._finish()
