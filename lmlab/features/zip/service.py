"""A text through the coder and back, within the settings' limits. Imports no torch before that."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.features.zip.results import Came, Part, Shown, Zipped
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading, Progress
from lmlab.scoring.scored import Scored

if TYPE_CHECKING:
    from lmlab.features.zip.coding import Step
    from lmlab.models.model import LM

MOST = 1000  # symbols that the page codes: seconds, and a picture that stays quick
LOOK = 7  # shares that the picture has beside the token's own

Event = Loading | Progress | Scored | Zipped | Came


@dataclass(frozen=True)
class Zipping:
    """What can be asked about a model as a zip."""

    lab: Lab

    @runs_models("model")
    def both_ways(self, model: str, text: str) -> Iterator[Event]:
        """The score, which says how long the code will be; progress; the code; what the far side
        has, now and then and at the end."""
        import_core()
        self.lab.check_length(text)
        yield from self.lab.with_models(
            [ModelRef.parse(model)], lambda lms: _both_ways(lms[0], text)
        )


def _both_ways(lm: "LM", text: str) -> Iterator[Event]:
    from lmlab.features.zip.archive import opened, pack, unpack
    from lmlab.scoring.score import iter_scores

    for scoring in iter_scores(lm, [text], top_k=0, max_tokens=MOST):
        yield scoring
        if isinstance(scoring, Scored):
            scored = scoring
    content, steps, file = text.encode(), list["Step"](), b""
    for event in pack(lm, content, look=LOOK):
        if isinstance(event, bytes):
            file = event
            continue
        if event.total > MOST:
            many = f"The text has {event.total:,} pieces; at most {MOST:,} are coded here."
            raise InputError(many, "‘lmlab zip’ codes whole files.")
        steps.append(event)
        yield Progress(event.done, event.total)
    header, code = opened(file)
    yield Zipped(
        lm.name, text, scored, _shown(lm, steps, code), code, len(file), header.coded,
        header.made.shown, _weights(lm),
    )  # fmt: skip
    came = bytearray()
    for done, data in enumerate(unpack(lm, header, code), 1):
        came += data
        yield Came(came.decode(errors="replace"), done, len(steps))
    yield Came(came.decode(), len(steps), len(steps), same=bytes(came) == content)


def _shown(lm: "LM", steps: "list[Step]", code: bytes) -> tuple[Shown, ...]:
    from lmlab.features.zip.coder import needed, settled
    from lmlab.models.tokens import show

    vocabulary, read, found = lm.vocabulary, list[int](), list[Shown]()
    for step in steps:
        if isinstance(step.symbol, bytes):
            text = show(step.symbol)
        else:
            read.append(step.symbol)
            text = show(vocabulary.read(read, len(read) - 1))
        others = tuple(Part(vocabulary.text(one.token), one.low, one.size) for one in step.others)
        own = Part(text, step.share.low, step.share.size) if step.share else None
        out, needs = settled(*step.interval), needed(*step.interval, code)
        found.append(Shown(text, step.bits, own, others, out, needs))
    return tuple(found)


def _weights(lm: "LM") -> int | None:
    """Bytes of a model's parameters."""
    if "weights" not in lm.gives:
        return None
    parameters: dict[str, Any] = lm.own_parameters()
    return sum(int(one.numel() * one.element_size()) for one in parameters.values())
