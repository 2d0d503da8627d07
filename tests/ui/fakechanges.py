"""What the fake lab answers about changes of weights: simple rules, the real result types."""

from collections.abc import Iterator
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.features.change.changes import KnifePoint, MatrixChange
from lmlab.features.change.family import Relative
from lmlab.features.change.matrices import Changes, Knifed, MatrixView, Picture
from lmlab.progress import Progress

KINDS = ("q_proj", "k_proj", "v_proj")
LAYERS = 4


@dataclass(frozen=True)
class FakeChanging:
    """Answers what ``lmlab.features.change.service.Changing`` answers."""

    def tuned(self, base: str) -> list[Relative]:
        return [Relative("base-early", "earlier")] if base == "base" else []

    def sets(self) -> list[str]:
        return ["german", "qa"]

    def made_for(self, tuned: str) -> str:
        return ""

    def weights(self, base: str, tuned: str) -> Iterator[Progress | Changes]:
        found = tuple(_change(layer, kind) for layer in range(LAYERS) for kind in KINDS)
        if base == tuned:
            raise InputError(f"‘{base}’ and ‘{tuned}’ are the same weights: nothing changed.")
        yield Progress(len(found), len(found))
        yield Changes(base, tuned, found)

    def matrix(self, base: str, tuned: str, name: str) -> Iterator[MatrixView]:
        layer, kind = name.removeprefix("layers.").split(".")
        change = _change(int(layer), kind)
        part = Picture((8, 8), 8, 8, 0.5, bytes(range(64)))
        side = Picture((8, 2), 8, 2, 0.5, bytes(16))
        top = Picture((2, 8), 2, 8, 0.5, bytes(16))
        yield MatrixView(change, tuple(8.0 / (i + 1) for i in range(8)), part, part, side, top)

    def knife(self, base: str, tuned: str, on: object = None) -> Iterator[Knifed]:
        points = tuple(KnifePoint(k, 3.0 - k, 2.0 + k / 10, 1.0, 1.0, k / 2) for k in range(3))
        yield Knifed(base, tuned, "rows", "texts", (0, 1, 2))
        yield Knifed(base, tuned, "rows", "texts", (0, 1, 2), points, points[-1])


def _change(layer: int, kind: str) -> MatrixChange:
    values = (1.0 + layer, 0.5)
    size = sum(value**2 for value in values) ** 0.5
    name = f"layers.{layer}.{kind}"
    return MatrixChange(name, layer, kind, (8, 8), 10.0, size, values, 2)


class FakeTimeMachine:
    """A lab that ships no checkpoints, so that the page scores none by itself."""

    def shipped(self) -> tuple[()]:
        return ()
