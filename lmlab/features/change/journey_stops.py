"""Which checkpoints a journey stops at: shipped ones, those of a run, revisions. Runs no model."""

import re
from collections.abc import Sequence

from lmlab.errors import InputError
from lmlab.features.change.journeys import Stop
from lmlab.models.refs import RUN, ModelRef
from lmlab.runs.store import Runs

MOST = 24
_SHIPPED = re.compile(r"(.+)-steps/step-(\d+)")
_NUMBER = re.compile(r"\d+")


def shipped(names: Sequence[str]) -> tuple[Stop, ...]:
    """The embedded checkpoints of one pre-training run, in order; none where none ship."""
    found = [(match, name) for name in names if (match := _SHIPPED.fullmatch(name))]
    first = min((match[1] for match, _ in found), default="")
    stops = [Stop(int(match[2]), name) for match, name in found if match[1] == first]
    return tuple(sorted(stops, key=lambda stop: stop.step))


def of_run(tuned: str, runs: Runs) -> tuple[Stop, ...]:
    """A fine-tuning run from its base to what it learned.

    Args:
        tuned: the run as a model, ``base+run:ID`` or ``run:ID``.
        runs: of this machine.

    Raises:
        InputError: that is no run, or it has saved nothing yet.
    """
    ref = ModelRef.parse(tuned)
    name = (ref.adapter or ref.name).partition("@")[0]
    run = runs.find(name.removeprefix(RUN)) if name.startswith(RUN) else None
    if run is None:
        raise InputError(
            "The tuned model above is not a run of yours, so there are no steps to show.",
            "Choose one of your runs there, or start one on the Fine-tune tab.",
        )
    spec = run.spec
    whole = f"{spec.model}+{name}" if spec.config.is_adapter else name
    between = [Stop(step, f"{whole}@{step}") for step in run.snapshots]
    last = run.learned
    if last is not None:
        final = int(last.name.partition("-")[2])
        between = [stop for stop in between if stop.step < final] + [Stop(final, whole)]
    if not between:
        raise InputError("This run has saved nothing yet.", "Wait for it, or let it run longer.")
    # A run from nothing has no model before it.
    start = f"{spec.model}+{spec.adapter}" if spec.adapter else spec.model
    before = () if spec.pretraining else (Stop(0, start),)
    return (*before, *between)


def of_revisions(name: str, revisions: str) -> tuple[Stop, ...]:
    """A model at several revisions, such as Pythia's step0, step1, step2.

    Args:
        name: a Hub id.
        revisions: with commas or spaces between; each with the number of its step.

    Raises:
        InputError: fewer than two, too many, one without a number, or two of one step.
    """
    if not name.strip():
        raise InputError("No model is named.", "For instance EleutherAI/pythia-70m.")
    if "+" in name or "@" in name:
        raise InputError("That is not the name of a model alone.", "Its revisions stand below.")
    stops = []
    for revision in re.split(r"[\s,]+", revisions.strip()):
        number = _NUMBER.search(revision)
        if number is None or len(number[0]) > 12:
            raise InputError(
                f"‘{revision[:40]}’ does not tell a step.", "For instance step0, step64, step512."
            )
        stops.append(Stop(int(number[0]), f"{name.strip()}@{revision}"))
    if len(stops) < 2 or len(stops) > MOST:
        raise InputError(f"From 2 to {MOST} revisions can be shown, not {len(stops)}.")
    if len({stop.step for stop in stops}) < len(stops):
        raise InputError("Two of the revisions are of the same step.")
    return tuple(sorted(stops, key=lambda stop: stop.step))
