"""Stage 7: the results that scenes keep for where their model cannot run: each scene's run is made
with the shipped files, and its table is written into the scene.

    python -m recipes.stored
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date

import yaml

import lmlab
from lmlab.training.config import demo
from lmlab.training.events import Evaluated, Finished, Sampled, Started, TrainEvent, TrainStep
from recipes.config import ASSETS
from recipes.textio import write_text

SCENES = ASSETS / "scenes"
LOSS, EXACT = "held-out loss, nats a token", "exact match"
WRITTEN_STEPS = (0, 100, 200, 500, 1000)  # of pre-training, and its last


@dataclass
class Told:
    """What a run said at one step."""

    valid: float = 0.0
    general: float | None = None
    exact: float | None = None
    written: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0


def main() -> None:
    """Makes the three runs and writes their tables."""
    questions = replace(demo(), rank=8, alpha=16)
    _keep("10-tuning-live", "base", _answers(lmlab.finetune("base", config=questions)))
    german = replace(demo(), rank=2, alpha=4, targets="q_proj,v_proj", steps=100, evaluate_every=30)
    _keep("16-lora-live", *_losses(lmlab.finetune("base", "german", "german-lecture", german)))
    _keep("26-from-nothing", *_letters(lmlab.pretrain()))


def _told(events: Iterable[TrainEvent]) -> tuple[Started, dict[int, Told], str]:
    """What a run said by step, and the prompt that its first sample goes on from."""
    found: dict[int, Told] = {}
    prompt, seconds, started = "", 0.0, None
    for event in events:
        if isinstance(event, Started):
            started = event
        elif isinstance(event, TrainStep):
            seconds += event.seconds
        elif isinstance(event, Evaluated):
            told = found.setdefault(event.step, Told())
            told.valid, told.general = event.valid_loss or 0.0, event.probe_loss
            told.exact, told.seconds = event.accuracy, seconds
        elif isinstance(event, Sampled):
            found.setdefault(event.step, Told()).written[event.index] = event.text
            prompt = prompt or event.prompt
        elif isinstance(event, Finished) and event.reason != "done":
            raise SystemExit(f"The run ended early: {event.message}")
    assert started is not None
    return started, found, prompt


def _answers(events: Iterable[TrainEvent]) -> list[list[str]]:
    _, found, prompt = _told(events)
    asked = prompt.replace("<|question|>", "“").replace("<|answer|>", "”")
    rows = [
        [str(step), f"{told.valid:.2f}", f"{told.exact:.1%}".replace("%", " %"), told.written[0]]
        for step, told in found.items()
        if told.exact is not None
    ]
    return [["step", LOSS, EXACT, asked], *rows]


def _losses(events: Iterable[TrainEvent]) -> tuple[str, list[list[str]]]:
    started, found, _ = _told(events)
    rows = [
        [
            str(step),
            f"{told.valid:.3g}",
            f"{told.exact:.1%}".replace("%", " %"),
            f"{told.general:.2f}",
        ]
        for step, told in found.items()
        if told.exact is not None and told.general is not None
    ]
    head = ["step", LOSS, EXACT, "general text, nats a token"]
    return f"base, {started.trainable:,} numbers learning", [head, *rows]


def _letters(events: Iterable[TrainEvent]) -> tuple[str, list[list[str]]]:
    started, found, prompt = _told(events)
    steps = [*(step for step in WRITTEN_STEPS if step in found), max(found)]
    rows = [
        [str(step), f"{told.seconds:.0f}", f"{told.valid:.2f}", _line(told.written.get(0, ""))]
        for step, told in ((step, found[step]) for step in steps)
    ]
    head = ["step", "seconds", LOSS, f"after “{prompt}”"]
    return f"a model of {started.total:,} parameters on two cores", [head, *rows]


def _line(text: str) -> str:
    """The first sentence or so."""
    words = " ".join(text.split())
    return words if len(words) < 70 else words[:70].rsplit(" ", 1)[0] + " …"


def _keep(scene: str, model: str, table: list[list[str]]) -> None:
    """Puts the table in place of the scene's own, below everything else in its file."""
    file = SCENES / f"{scene}.yaml"
    above = file.read_text(encoding="utf-8").partition("stored:\n")[0]
    write_text(file, above + "".join(_block(model, table)))
    print(file)


def _block(model: str, table: list[list[str]]) -> Iterator[str]:
    yield f'stored:\n  made: "{date.today()}"\n  model: {_cell(model)}\n  table:\n'
    for row in table:
        yield f"    - [{', '.join(map(_cell, row))}]\n"


def _cell(text: str) -> str:
    """As YAML, on one line, quoted where a plain one would be no text."""
    plain: str = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**6)
    return plain.strip()[1:-1]


if __name__ == "__main__":
    main()
