"""A lab without a model, for tests of the page: simple rules, the real result types."""

import math
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch

from lmlab.errors import InputError, ModelError
from lmlab.features.change.service import Changing
from lmlab.features.change.timemachine_service import TimeMachine
from lmlab.features.data.service import Corpora
from lmlab.features.pretraining.service import Pretraining
from lmlab.features.prompt.service import Prompting
from lmlab.features.scale.service import Scaling
from lmlab.features.tuning.service import Tuning
from lmlab.generation.completions import Advice, Given, Step
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.models.store import ModelStore
from lmlab.progress import Progress
from lmlab.runs.jobs import Jobs
from lmlab.scoring.compared import Compared
from lmlab.scoring.scored import Scored, Windowing
from lmlab.scoring.tokens import Alternative, TokenScore
from lmlab.settings import Settings
from tests.ui.fakechanges import FakeChanging, FakeTimeMachine
from tests.ui.fakecorpora import FakeCorpora
from tests.ui.fakeprompts import FakePrompting
from tests.ui.fakescale import FakeScaling
from tests.ui.faketuning import FakeTuning

WORDS = (" the", " a", " and", ",", ".", " was", " to", " he", " little", "\n")
TOKEN = re.compile(r" ?[^\W\d_]+| ?\d+|\n| ?[^\w\s]|\s|.", re.DOTALL)
LETTER = re.compile(r".", re.DOTALL)
NAMES = ("base", "base-early", "letters")
END = "<end>"
SAID = (*WORDS, " dog", " 🙂", END)


class Words:
    """The vocabulary of the fake completions: a token's id is its place."""

    def text(self, token: int) -> str:
        return SAID[token]

    def reader(self, ids):
        return self.text


def _given(prompt, chat):
    """A chat model's prompt, and what is to be said of it."""
    if chat:
        return Given(f"[user] {prompt} [model]", (), ("<s>",))
    space = [Advice("space", "It ends in white space.")] if prompt != prompt.rstrip() else []
    plain = [Advice("chat", "It has a chat template.")] if prompt.startswith("Who") else []
    return Given(prompt, (*space, *plain), ("<s>",))


@dataclass(frozen=True)
class FakeLab:
    """Answers what ``lmlab.lab.Lab`` answers.

    Names: ``base`` and ``base-early`` cut words, ``letters`` cuts characters, ``nostart`` leaves
    the first token unscored. ``pause`` seconds pass before each sign of progress of a long text.
    """

    settings: Settings = field(default_factory=Settings)
    pause: float = 0.0
    _services: dict = field(default_factory=dict)

    def model_names(self) -> list[str]:
        return list(NAMES)

    @cached_property
    def store(self) -> ModelStore:
        return ModelStore(self.settings)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.settings)

    def run(self, work):
        return work.method(work.service, *work.args, **work.given)

    def ready(self, ref):
        return iter(())

    def service(self, kind):
        if kind not in self._services:
            self._services[kind] = self._made(kind)
        return self._services[kind]

    def _made(self, kind):
        made = {
            Prompting: lambda: FakePrompting(self, self.complete, self.score, self.pause),
            TimeMachine: FakeTimeMachine,
            Changing: FakeChanging,
            Tuning: lambda: FakeTuning(self.pause / 5),
            Pretraining: lambda: Pretraining(self._own()),
            Corpora: lambda: FakeCorpora(self, self.pause),
            Scaling: lambda: FakeScaling(self.pause),
        }
        return made.get(kind, lambda: kind(self))()

    def _own(self) -> Lab:
        """Runs from nothing are real, in a folder of their own."""
        return Lab.open(Settings(offline=True, runs_dir=Path(tempfile.mkdtemp())))

    def score(
        self,
        model: str,
        text: str,
        prefix: str = "",
        *,
        top_k: int = 10,
        windows: str = "sliding",
        bos: str = "tokenizer",
        chat: bool = False,
    ) -> Iterator[Progress | Scored]:
        prefix = f"[user] {prefix} [model]" if chat else prefix
        if not text:
            raise InputError("There is no text to score.", "Type at least one character.")
        if len(text) > self.settings.max_chars:
            raise InputError(f"{len(text):,} characters are too many.", "Score a shorter part.")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError("That is half of a surrogate pair.", "Delete it.") from None
        if model.split("+run:")[0] not in (*NAMES, "nostart"):
            raise ModelError(f"There is no model named ‘{model}’.", "Here there are: base.")
        if model == "base" and text == "crash":
            raise RuntimeError("a bug")
        tokens = list(self._tokens(model, text, top_k))
        for done in range(0, len(tokens), 500):
            if len(tokens) > 1000:
                time.sleep(self.pause)
            yield Progress(done, len(tokens))
        kept = prefix.rstrip()
        yield Scored(
            model=model,
            text=text,
            prefix=kept,
            tokens=tuple(tokens),
            moved=prefix[len(kept) :],
            context=("<s>" if bos == "tokenizer" else bos,) if model != "nostart" else (),
            windowing=Windowing("sliding", 256, 9) if len(tokens) > 1000 else None,
        )

    def complete(self, model, prompt, config: GenerateConfig, start=(), *, chat=False):
        from lmlab.generation.nexttoken import beliefs, choose, keep
        from lmlab.generation.sampling import draw, warp

        if model.split("+run:")[0] not in NAMES:
            raise ModelError(f"There is no model named ‘{model}’.", "Here there are: base.")
        if len(prompt) > self.settings.max_chars:
            raise InputError("The prompt is too long.", "Shorten it.")
        yield _given(prompt, chat)
        ids = [*range(len(prompt.split())), *start]
        wide = GenerateConfig(alternatives=len(SAID))
        for index in range(len(start), config.max_new_tokens + 1):
            time.sleep(self.pause / 4)
            place = keep(ids, _logits(model, ids), frozenset({SAID.index(END)}), Words())
            yield place
            if index >= config.max_new_tokens:
                return
            generator = torch.Generator().manual_seed(config.seed * 1000 + index)
            after = warp(torch.from_numpy(place.logits), torch.tensor(ids), config)
            token = draw(after, generator, greedy=config.greedy)
            found = beliefs(place, replace(wide, temperature=config.temperature))
            which = next(i for i, c in enumerate(found.top) if c.id == token)
            finish = "end" if SAID[token] == END else None
            if finish is None and index + 1 == config.max_new_tokens:
                finish = "length"
            yield replace(choose(found, which, index), shown=SAID[token], finish=finish)
            ids.append(token)
            if finish == "end":
                return

    def beliefs(self, place, config):
        from lmlab.generation.nexttoken import beliefs

        return beliefs(place, config)

    def sample(self, model, prompt, config, n, *, chat=False):
        runs = [self.complete(model, prompt, replace(config, seed=i)) for i in range(n)]
        for i, run in enumerate(runs):
            yield from ((i, event) for event in run if isinstance(event, Step))

    def side_by_side(self, models, prompt, config, alpha=1.0, *, chat=False):
        yield _given(prompt, chat)
        runs = [
            (event for event in self.complete(m, prompt, config) if isinstance(event, Step))
            for m in models
        ]
        turns = dict(enumerate(runs))
        while turns:
            for i, run in list(turns.items()):
                step = next(run, None)
                if step is None:
                    del turns[i]
                else:
                    yield i, step

    def compare(self, first, second, text, prefix="", *, alpha=1.0, chat=False):
        prefix = f"[user] {prefix} [model]" if chat else prefix
        scored = []
        for name in (first, second):
            for step in self.score(name, text, prefix):
                if isinstance(step, Scored):
                    scored.append(step)
                else:
                    yield step
        if "letters" in (first, second) and first != second:
            yield Compared(*scored)
            return
        gaps = [alpha * 0.4 * math.sin(i) for i in range(len(scored[0].tokens))]
        scored[1] = replace(
            scored[1],
            tokens=tuple(
                replace(
                    t,
                    logprob=min(-0.01, t.logprob + gap),
                    top=tuple(a._replace(logprob=a.logprob - abs(gap)) for a in t.top),
                )
                for t, gap in zip(scored[0].tokens, gaps, strict=True)
            ),
        )
        kl = tuple(abs(gap) for gap in gaps)
        yield Compared(scored[0], scored[1], kl, tuple(gap * 2 for gap in kl))

    def _tokens(self, model: str, text: str, top_k: int) -> Iterator[TokenScore]:
        cut = LETTER if model == "letters" else TOKEN
        at = 0
        for i, match in enumerate(cut.finditer(text)):
            piece = match[0]
            parts = _bytes(piece) if ord(piece[-1]) > 0xFFFF else [piece]
            for j, part in enumerate(parts):
                whole = j == len(parts) - 1
                end = at + len(piece) if whole else at
                yield _token(part, at, end, model, i, top_k)
            at += len(piece)


def _logits(model: str, ids: list[int]) -> torch.Tensor:
    """Another order of the words at each length; the end token comes late."""
    n = len(ids) + (2 if model == "base-early" else 0)
    scores = [-0.35 * ((k * 3 + n) % len(SAID)) for k in range(len(SAID))]
    scores[-1] = -6.0 if len(ids) < 30 else 3.0
    return torch.tensor(scores)


def _bytes(piece: str) -> list[str]:
    codes = [f"{byte:02X}" for byte in piece.encode()]
    return [f"⟨{' '.join(codes[:2])}⟩", f"⟨{' '.join(codes[2:])}⟩"]


def _token(text: str, start: int, end: int, model: str, i: int, top_k: int) -> TokenScore:
    identity = sum(ord(char) * 31**k for k, char in enumerate(text[:6])) % 5000 + 20
    if text in WORDS:
        identity = WORDS.index(text)
    if model == "nostart" and i == 0:
        return TokenScore(identity, text, start, end, None, None, None)
    weights = [1 / (k + 1) ** 1.3 / (3 + (i % 5)) for k in range(len(WORDS))]
    order = [(k * 3 + i) % len(WORDS) for k in range(len(WORDS))]
    top = [Alternative(order[k], WORDS[order[k]], math.log(w)) for k, w in enumerate(weights)]
    hit = next((k for k, a in enumerate(top) if a.id == identity), None)
    drift = 0.4 * math.sin(i) if model == "base-early" else 0.0
    logprob = top[hit].logprob if hit is not None else -4.5 - (identity % 90) / 12 - drift
    rank = hit + 1 if hit is not None else 11 + identity % 3000
    return TokenScore(
        identity, text, start, end, logprob, rank, 2.0 + math.sin(i), tuple(top[:top_k])
    )
