"""Corpora as the page asks for them, within the settings' limits. Imports no torch before something
is scored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.features.data import language, privacy, quality
from lmlab.features.data.duplicates import iter_twins
from lmlab.features.data.findings import Duplicate, Inspected, Inspecting, Looked, Quality
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import runs_models
from lmlab.models.fair_lock import stepwise
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading
from lmlab.text import documents
from lmlab.text.documents import Cut, Limits

Scores = Iterator["Loading | list[tuple[int, Quality | None]]"]
# Rough shares of the time that an inspection takes.
TWINS, LANGUAGES = 0.15, 0.3
EVERY = 20  # documents between two signs of progress


@dataclass(frozen=True)
class Corpora:
    """What can be asked about training text."""

    lab: Lab

    @property
    def limits(self) -> Limits:
        """How much of a corpus is read."""
        return Limits.of(self.lab.settings)

    def samples(self) -> list[str]:
        """Names of the corpora that ship."""
        return documents.shipped_corpora()

    def sample(self, name: str) -> tuple[str, ...]:
        """The documents of one of them."""
        return documents.shipped(name, self.limits)

    def read(self, content: bytes | str, name: str, cut: Cut = "blank lines") -> tuple[str, ...]:
        """A visitor's documents."""
        return documents.read_documents(content, name, self.limits, cut)

    def inspect(
        self, model: str, name: str, texts: Sequence[str], threshold: float = 0.6
    ) -> Iterator[Loading | Inspecting | Inspected]:
        """Look at every document; yields progress, then the result. The model's tokens are counted,
        and its perplexity is the filter; ``threshold`` is the similarity of near duplicates."""
        if not texts:
            raise InputError("There are no documents to look at.")
        twins = list[Duplicate | None]()
        for twin in iter_twins(texts, threshold):
            twins.append(twin)
            if len(twins) % EVERY == 1:
                yield _step("duplicates", len(twins), len(texts), 0, TWINS)
        yield Inspecting("languages …", TWINS)
        guessed = list[tuple[str, float]]()
        for guess in language.guesses(texts):
            guessed.append(guess)
            if len(guessed) % (10 * EVERY) == 0:
                yield _step("languages", len(guessed), len(texts), TWINS, LANGUAGES)
        scored = list[tuple[int, Quality | None]]()
        for event in self._scores(model, texts):
            if isinstance(event, Loading):
                yield event
                continue
            scored += event
            yield _step(f"{model}: scored", len(scored), len(texts), LANGUAGES, 1)
        columns = zip(texts, guessed, twins, scored, strict=True)
        yield Inspected(
            name=name,
            model=model,
            threshold=threshold,
            documents=tuple(
                Looked(text, tokens, privacy.find(text), *guess, twin, score)
                for text, guess, twin, (tokens, score) in columns
            ),
            scored_chars=quality.BEGINNING,
        )

    @runs_models("model")
    def _scores(self, model: str, texts: Sequence[str]) -> Scores:
        """(tokens, quality) of some texts at a time."""
        import_core()
        ref = ModelRef.parse(model)
        yield from self.lab.ready(ref)
        with self.lab.store.borrow(ref) as lm:
            yield from stepwise([lm], quality.iter_quality(lm, texts))


def _step(what: str, done: int, total: int, low: float, high: float) -> Inspecting:
    message = f"{what}: {done:,} of {total:,} documents"
    return Inspecting(message, low + (high - low) * done / max(1, total))
