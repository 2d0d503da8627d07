"""Runs that are compared with one another: what one of them measures, the next one measures too."""

from contextlib import suppress

from lmlab.runs.folder import RunFolder
from lmlab.runs.specs import RunSpec
from lmlab.runs.store import Runs
from lmlab.training.events import Sized
from lmlab.training.sizing import Size

# Settings that say what there is to measure.
SAME = ("measure", "answer_rows", "probe_rows", "samples", "form", "loss_on", "max_length")


def alike(folder: RunFolder, spec: RunSpec) -> tuple[Size, Size] | None:
    """(used, whole) of the owner's last earlier run of the same base on the same rows and wording;
    None where there is none."""
    others = ((one.spec, one) for one in Runs(folder.path.parent).all())
    found = [
        (its.created, one) for its, one in others if its.id != spec.id and _same(its, spec)
    ]  # fmt: skip
    for _, one in sorted(found, key=lambda pair: -pair[0]):
        with suppress(OSError):
            for event in one.events():
                if isinstance(event, Sized):
                    return event.used, event.whole
    return None


def _same(one: RunSpec, other: RunSpec) -> bool:
    names = ("owner", "model", "data", "origin", "template", "pretraining")
    return all(getattr(one, name) == getattr(other, name) for name in names) and all(
        getattr(one.config, name) == getattr(other.config, name) for name in SAME
    )
