"""Everything the page is given: models and settings, built once and passed down.

Knows what can be asked for and within which limits; never draws anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.models import ModelRef, ModelStore
from lmlab.results import Scored, Scoring, WindowMode
from lmlab.settings import Settings


@dataclass(frozen=True)
class Lab:
    """The backend behind one page: hand it to every tab's ``build``."""

    store: ModelStore
    settings: Settings

    @classmethod
    def open(cls, settings: Settings | None = None) -> "Lab":
        """A lab with its own empty model store; loads nothing yet."""
        settings = settings or Settings()
        return cls(ModelStore(settings), settings)

    def model_names(self) -> list[str]:
        """Names for the model picker: the embedded suite, default first."""
        names = self.store.embedded()
        return sorted(names, key=lambda name: name != self.settings.model)

    def score(
        self,
        model: str,
        text: str,
        prefix: str = "",
        *,
        top_k: int = 10,
        windows: WindowMode = "sliding",
    ) -> Iterator[Scoring | Scored]:
        """Score a visitor's text within the settings' limits; yields progress, then the result."""
        from lmlab.scoring import ScoreRequest, iter_scores

        length, limit = len(text) + len(prefix), self.settings.max_chars
        if length > limit:
            raise InputError(
                f"The text has {length:,} characters; at most {limit:,} are scored.",
                "Score a shorter part of it.",
            )
        request = ScoreRequest(text=text, prefix=prefix)
        with self.store.borrow(ModelRef.parse(model)) as lm:
            yield from iter_scores(
                lm, [request], top_k=top_k, windows=windows, max_tokens=self.settings.max_tokens
            )
