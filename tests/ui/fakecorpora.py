"""What the Data tab asks of a lab, without a model: the real service, and scores by length."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmlab.errors import ModelError
from lmlab.features.data.findings import Quality
from lmlab.features.data.quality import AT_ONCE
from lmlab.features.data.service import Corpora


@dataclass(frozen=True)
class FakeCorpora(Corpora):
    """``pause`` seconds pass before some documents are scored; a token is a word, and a document of
    n characters has n / 100 bits per byte."""

    pause: float = 0.0

    def _scores(
        self, model: str, texts: Sequence[str]
    ) -> Iterator[list[tuple[int, Quality | None]]]:
        if model not in ("base", "base-early", "letters"):
            raise ModelError(f"There is no model named ‘{model}’.", "Here there are: base.")
        for low in range(0, len(texts), AT_ONCE):
            time.sleep(self.pause)
            some = texts[low : low + AT_ONCE]
            sizes = [(len(text), len(text.split())) for text in some]
            yield [(n, Quality(size / 100, float(size), n)) for size, n in sizes]
