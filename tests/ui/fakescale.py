"""What the Scale tab asks of a lab, without a model: slow enough to be stopped."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from lmlab.errors import ModelError
from lmlab.features.scale.counts import Shape
from lmlab.features.scale.measured import Measured
from lmlab.features.scale.published import Row, row_of
from lmlab.progress import Progress

SHAPE = Shape(2, 48, 4, 100, 64, 192)


@dataclass(frozen=True)
class FakeScaling:
    """Answers what ``lmlab.features.scale.service.Scaling`` answers; ``letters`` has no shape."""

    pause: float = 0.0

    def row(self, model: str) -> Row:
        if model not in ("base", "base-early", "letters"):
            raise ModelError(f"There is no model named ‘{model}’.", "Here there are: base.")
        return Row(model, exact=1234) if model == "letters" else row_of(model, SHAPE)

    def shape(self, model: str) -> Shape:
        shape = self.row(model).shape
        if shape is None:
            raise ModelError(f"‘{model}’ is not counted by part.")
        return shape

    def measure(self, models, kinds, count) -> Iterator[Progress | Measured]:
        for model in models:
            self.row(model)
            for i, kind in enumerate(kinds):
                for done in range(4):
                    time.sleep(self.pause)
                    yield Progress(done * 100, 400)
                yield Measured(model, kind, 10_000, 70_000, 900.0 + i, 400, 1000, count, "words")
