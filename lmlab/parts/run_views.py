"""What the Fine-tune tab is given, as JSON: a run's news, a row's mask, the table of runs.

Knows what runs say of themselves; no model, no torch.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lmlab.parts.strip import dump, whole
from lmlab.runs.store import RunInfo
from lmlab.training.events import (
    Evaluated,
    Finished,
    Levels,
    Lost,
    Sampled,
    Sized,
    Started,
    TrainEvent,
    TrainStep,
)
from lmlab.training.sets import MaskView

# Characters of a sample's prompt that are shown.
PROMPT_SHOWN = 400
# Points of a curve in the table of runs: more than the chart has pixels would be wasted.
MOST_POINTS = 400
SMOOTHING = 0.9
LEVELS = ("uniform", "unigram", "base")


def news(events: Sequence[TrainEvent]) -> list[list[Any]]:
    """Events as short lists, in order; those that nothing is drawn of are left out.

    ``["plan", {…}]``, ``["sized", {…}]``,
    ``["step", step, loss, learning rate, gradient norm, tokens, seconds]``,
    ``["eval", step, held-out loss, loss on general text, accuracy]``, of a model from nothing with
    its bits a byte at the end, ``["sample", {…}]``, ``["levels", {…}]``, ``["end", {…}]``,
    ``["lost", line]``. What is not a finite number is None.
    """
    return [made for event in events if (made := _short(event)) is not None]


def _short(event: TrainEvent) -> list[Any] | None:
    match event:
        case TrainStep():
            numbers = map(_number, (event.loss, event.learning_rate, event.grad_norm))
            return ["step", event.step, *numbers, event.tokens, round(event.seconds, 4)]
        case Evaluated():
            numbers = map(_number, (event.valid_loss, event.probe_loss, event.accuracy))
            bits = [] if event.bits is None else [_number(event.bits)]
            return ["eval", event.step, *numbers, *bits]
        case Sampled():
            return ["sample", _sample(event)]
        case Levels():
            return ["levels", {key: _number(getattr(event, key)) for key in LEVELS}]
        case Started():
            return ["plan", {"steps": event.steps, "warnings": list(event.warnings)}]
        case Sized():
            told = {"every": event.every, "seconds": _number(event.used.seconds)}
            return ["sized", {**told, "told": event.told}]
        case Finished():
            return ["end", {"seconds": event.seconds}]
        case Lost():
            return ["lost", event.line]
        case _:
            return None


def _sample(event: Sampled) -> dict[str, Any]:
    cut = len(event.prompt) > PROMPT_SHOWN
    return {
        "step": event.step,
        "index": event.index,
        "prompt": ("… " if cut else "") + event.prompt[-PROMPT_SHOWN:],
        "truth": event.truth[:PROMPT_SHOWN],
        "text": event.text[:PROMPT_SHOWN],
        "tokens": [[t.text, whole(-t.logprob)] for t in event.tokens],
        **({} if event.words is None else {"words": _number(event.words)}),
    }


def curves(events: Sequence[TrainEvent]) -> dict[str, tuple[list[int], list[float]]]:
    """A run's curves as [steps, values]: smoothed ``loss``, ``valid`` and ``probe``."""
    found = {key: list[tuple[int, float]]() for key in ("loss", "valid", "probe")}
    mean = weight = 0.0
    for event in events:
        if isinstance(event, TrainStep) and math.isfinite(event.loss):
            mean = SMOOTHING * mean + (1 - SMOOTHING) * event.loss
            weight = SMOOTHING * weight + (1 - SMOOTHING)
            _add(found["loss"], event.step, mean / weight)
        elif isinstance(event, Evaluated):
            _add(found["valid"], event.step, event.valid_loss)
            _add(found["probe"], event.step, event.probe_loss)
    return {key: _thinned(line) for key, line in found.items()}


def mask(view: MaskView, limit: int = 0) -> str:
    """A row with the tokens that carry loss, as JSON; ``limit`` is the most that a row may have."""
    tokens = [[t.text, int(t.loss), int(t.kind in ("start", "end"))] for t in view.tokens]
    told = {"row": view.row, "warnings": list(view.warnings), "error": view.error}
    return dump({**told, "tokens": tokens, "loss": view.n_loss, "limit": limit})


def no_mask(error: str) -> str:
    """A sentence where there is no row to show."""
    return dump({"tokens": [], "warnings": [], "error": error})


def table(
    runs: Sequence[RunInfo], lines: Mapping[str, Mapping[str, Any]], current: str = ""
) -> str:
    """The table of runs, newest first, as JSON, with the ``curves`` of those that are drawn, by id;
    ``current`` is shown above."""
    rows = [_row(info, len(runs) - i, info.id == current) for i, info in enumerate(runs)]
    chosen = [info.id for info in runs if info.id in lines]
    return dump({"rows": rows, "chosen": chosen, "curves": dict(lines)})


def method_name(info: RunInfo) -> str:
    """A run's method in a few words, with what sets it apart."""
    config = info.config
    if own := info.pretraining:
        return f"{own.size or f'{own.layers} × {own.width}'} from nothing"
    match config.method:
        case "lora":
            return f"LoRA, ℓ = {config.rank}"
        case "prompt":
            return f"prompt tuning, {config.length}"
        case "selective":
            layers = (part.removeprefix("-").isdecimal() for part in config.parts)
            named = zip(layers, config.parts, strict=True)
            return ", ".join(f"layer {part}" if layer else part for layer, part in named)
        case _:
            return "full"


def state_name(info: RunInfo) -> str:
    """A run's state in a word or two."""
    if info.state == "queued" and info.place is not None:
        return f"waiting, place {info.place + 1}"
    if info.state in ("done", "stopped") and info.reason in ("limit", "nan"):
        return "not a number" if info.reason == "nan" else "at a limit"
    return {"done": "finished", "queued": "waiting"}.get(info.state, info.state)


def _row(info: RunInfo, number: int, current: bool) -> dict[str, Any]:
    forgetting = info.forgetting
    return {
        "id": info.id,
        "name": f"{number}. {method_name(info)} · {info.data}"[:90],
        "about": f"{info.title}, {info.model}"[:200],
        "state": state_name(info),
        "trainable": f"{info.trainable:,}" if info.trainable else "–",
        "steps": f"{info.step:,} of {info.config.steps:,}",
        "valid": _shown(info.valid_loss) + _rows_of(info),
        "accuracy": "–" if info.accuracy is None else f"{100 * info.accuracy:.0f} %",
        "forgetting": "–" if forgetting is None else f"{forgetting:+.3f}".replace("-", "−"),
        "seconds": f"{info.seconds:,.0f}" if info.seconds else "–",
        "current": current,
    }


def _rows_of(info: RunInfo) -> str:
    """On how many rows a loss is, where these are not all."""
    some = info.valid_loss is not None and info.measured < info.held_out
    return f" ({info.measured} of {info.held_out:,} rows)" if some else ""


def _shown(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"


def _add(line: list[tuple[int, float]], step: int, value: float | None) -> None:
    if value is None or not math.isfinite(value):
        return
    # A run that went on from a checkpoint makes some of its steps again.
    while line and line[-1][0] >= step:
        line.pop()
    line.append((step, float(f"{value:.6g}")))


def _thinned(line: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    # The last point stays, whatever the stride.
    stride = max(1, math.ceil(len(line) / MOST_POINTS))
    kept = line[(len(line) - 1) % stride :: stride]
    return [step for step, _ in kept], [value for _, value in kept]


def _number(value: float | None) -> float | None:
    """With six digits; None where it is no finite number."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


def problem(text: str) -> str:
    """What is wrong, where the counter would stand."""
    return f'<p class="lm-problem">{escape(text)}</p>'
