"""Everything the page is given: models and settings, built once and passed down.

Knows what can be asked for and within which limits; never draws anything.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from lmlab.errors import InputError
from lmlab.generation.completions import Given
from lmlab.generation.config import GenerateConfig
from lmlab.lent_gpu import SHORT, Work, runs_models
from lmlab.models.backends import scheme
from lmlab.models.fair_lock import stepwise
from lmlab.progress import Loading, Progress, Reading
from lmlab.runs.jobs import Jobs
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.scoring.scored import Scored
from lmlab.settings import Settings

if TYPE_CHECKING:
    from lmlab.generation.completions import Beliefs, Next, Step
    from lmlab.models.model import LM
    from lmlab.scoring.compared import Compared

S = TypeVar("S")
T = TypeVar("T")
Say = Callable[[str], None]
# Transformers' modules load themselves piece by piece, which two threads at once would break.
FIRST_IMPORT = Lock()
HEAVY = (
    "models.backends.transformers.loading",
    "scoring.score",
    "generation.sidebyside",
    "scoring.comparison",
)
LONGEST = 1024  # tokens of a visitor's completion
MOST_ALPHA = 100  # how far an adapter is turned up or, below 0, against itself
MOST_SAMPLES = 64
SHORTER = "Give a shorter part of it."


@dataclass(frozen=True)
class Lab:
    """The backend behind one page: hand it to every tab's ``build``."""

    store: ModelStore
    settings: Settings
    _services: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, settings: Settings | None = None) -> "Lab":
        """A lab with its own empty model store; loads nothing yet.

        With settings it is a page's, which uses a stored token of the Hub only if they say so.
        """
        if settings is not None and settings.hub_token is None:
            settings = settings.model_copy(update={"hub_token": False})
        settings = settings or Settings()
        return cls(ModelStore(settings), settings)

    @cached_property
    def jobs(self) -> Jobs:
        """The runs in the background: one queue for every kind."""
        return Jobs(self.settings)

    def service(self, kind: Callable[["Lab"], S]) -> S:
        """What a feature asks of this lab: ``kind(lab)``, made once."""
        if kind not in self._services:
            self._services.setdefault(kind, kind(self))
        found: S = self._services[kind]
        return found

    def run(self, work: Work) -> Iterator[Any]:
        """The events of a stream that runs models."""
        return work.method(work.service, *work.args, **work.given)

    def model_names(self) -> list[str]:
        """Names for the model picker: embedded models and adapters, models of backends, of the Hub
        those that are here first, then the states of the embedded models' training."""
        embedded = self.store.embedded()
        names = [name for name in embedded if "/" not in name]
        if "base" in names:
            names += [f"base+{name}" for name in self.store.embedded_adapters()]
        names += [name for name in self.settings.listed if scheme(name)]
        names += self.store.on_hub()
        names += [name for name in embedded if "/" in name]
        return sorted(names, key=lambda name: name != self.settings.model)

    def ready(
        self, ref: ModelRef, how: "Callable[[ModelRef, Say], None] | None" = None
    ) -> Iterator[Loading]:
        """Load a model, if need be, or have it at hand in another way; says meanwhile what is going
        on.

        Raises:
            LabError: what ``ModelStore.load`` raises.
        """
        said: SimpleQueue[str | BaseException | None] = SimpleQueue()

        def load() -> None:
            try:
                (how or self.store.load)(ref, said.put)
                said.put(None)
            except BaseException as error:
                said.put(error)

        Thread(target=load, daemon=True).start()
        while (message := said.get()) is not None:
            if isinstance(message, BaseException):
                raise message
            yield Loading(message)

    def with_models(
        self,
        refs: Sequence[ModelRef],
        steps: Callable[["list[LM]"], Iterator[T]],
        *,
        results: bool = False,
    ) -> Iterator[Loading | T]:
        """Load models, then the steps made over them; between two of these others may use them, as
        ``stepwise`` says."""
        for ref in refs:
            yield from self.ready(ref)
        with self.store.borrow_all(refs) as lms:
            yield from stepwise(lms, steps(lms), results=results)

    @runs_models("model", seconds=SHORT)
    def score(
        self,
        model: str,
        text: str,
        prefix: str = "",
        *,
        top_k: int = 10,
        bos: str = "tokenizer",
        chat: bool = False,
    ) -> Iterator[Loading | Progress | Scored]:
        """Score a visitor's text within the settings' limits; yields progress, then the result.

        With ``chat`` the text is scored as the answer to the question ``prefix``.
        """
        import_core()
        from lmlab.models.chat import question
        from lmlab.scoring.score import ScoreRequest, iter_scores

        self.check_length(text + prefix)
        options: Any = {"top_k": top_k, "bos": bos}

        def steps(lms: "list[LM]") -> Iterator[Progress | Scored]:
            before = question(lms[0].vocabulary, prefix) if chat else prefix
            asked, most = [ScoreRequest(text, before, given=chat)], self.settings.max_tokens
            return iter_scores(lms[0], asked, max_tokens=most, **options)

        yield from self.with_models([ModelRef.parse(model)], steps, results=True)

    @runs_models("model")
    def complete(
        self,
        model: str,
        prompt: str,
        config: GenerateConfig,
        start: Sequence[int] = (),
        *,
        chat: bool = False,
    ) -> "Iterator[Loading | Given | Next | Step]":
        """The prompt as the model gets it, then each token after the belief it was drawn from."""
        import_core()
        from lmlab.generation.advice import given
        from lmlab.generation.complete import unfold

        self._check_run(prompt, config, len(start))

        def steps(lms: "list[LM]") -> "Iterator[Loading | Given | Next | Step]":
            asked = given(lms[0], prompt, chat=chat)
            yield asked
            events: Any = unfold(lms[0], asked.prompt, config, start=start)
            yield from _told(events, lms[0].name)

        yield from self.with_models([ModelRef.parse(model)], steps)

    def beliefs(self, place: "Next", config: GenerateConfig) -> "Beliefs":
        """What the controls make of a belief that was kept; runs no model."""
        import_core()
        from lmlab.generation.sampling import beliefs

        return beliefs(place, config)

    @runs_models("model")
    def sample(
        self, model: str, prompt: str, config: GenerateConfig, n: int, *, chat: bool = False
    ) -> "Iterator[Loading | tuple[int, Step]]":
        """n completions of a prompt at once, with seeds from the config's on."""
        import_core()
        from lmlab.generation.advice import given
        from lmlab.generation.complete import iter_sample

        if not 1 <= n <= MOST_SAMPLES:
            raise InputError(f"From 1 to {MOST_SAMPLES} samples are drawn at once, not {n}.")
        self._check_run(prompt, config)

        def steps(lms: "list[LM]") -> "Iterator[Loading | tuple[int, Step]]":
            asked = given(lms[0], prompt, chat=chat).prompt
            return _told(iter_sample(lms[0], asked, config, n=n), lms[0].name)

        yield from self.with_models([ModelRef.parse(model)], steps)

    @runs_models("models")
    def side_by_side(
        self,
        models: Sequence[str],
        prompt: str,
        config: GenerateConfig,
        alpha: float = 1.0,
        *,
        chat: bool = False,
    ) -> "Iterator[Loading | Given | tuple[int, Step]]":
        """One prompt through several models; α turns the second one's adapter, if it has one.

        What is to be said of the prompt comes first, once for all of them.
        """
        import_core()
        from lmlab.generation.advice import given
        from lmlab.generation.sidebyside import iter_side_by_side

        self._check_run(prompt, config)

        def steps(lms: "list[LM]") -> "Iterator[Loading | Given | tuple[int, Step]]":
            asked = [given(lm, prompt, chat=chat) for lm in lms]
            yield Given(prompt, tuple(dict.fromkeys(said for one in asked for said in one.advice)))
            prompts = [one.prompt for one in asked]
            yield from _told(iter_side_by_side(lms, prompts, config), "the prompt")

        yield from self.with_models(_dialled(models, alpha), steps)

    @runs_models("first", "second", seconds=SHORT)
    def compare(
        self,
        first: str,
        second: str,
        text: str,
        prefix: str = "",
        *,
        alpha: float = 1.0,
        chat: bool = False,
    ) -> "Iterator[Loading | Progress | Compared]":
        """Compare two models on a text; α turns the second one's adapter, if it has one."""
        import_core()
        from lmlab.scoring.comparison import iter_compare

        self.check_length(text + prefix)
        options: Any = {"prefix": prefix, "max_tokens": self.settings.max_tokens, "chat": chat}
        refs = _dialled([first, second], alpha)

        def steps(lms: "list[LM]") -> "Iterator[Progress | Compared]":
            return iter_compare(lms[0], lms[1], text, **options)

        yield from self.with_models(refs, steps, results=True)

    def check_length(self, text: str, what: str = "The text", hint: str = SHORTER) -> None:
        """Raise an InputError where a text is longer than the settings let a visitor send."""
        length, limit = len(text), self.settings.max_chars
        if length > limit:
            raise InputError(f"{what} has {length:,} characters; at most {limit:,} are read.", hint)

    def _check_run(self, prompt: str, config: GenerateConfig, started: int = 0) -> None:
        self.check_length(prompt)
        if config.max_new_tokens - started > LONGEST:
            raise InputError(f"At most {LONGEST:,} new tokens are drawn at once.")


def import_core() -> None:
    """Import what runs models, one thread at a time; call it before any other such import."""
    with FIRST_IMPORT:
        for name in HEAVY:
            import_module(f"lmlab.{name}")


def _told(events: Iterator[Reading | T], name: str) -> Iterator[Loading | T]:
    """Say how far the reading of a long prompt is."""
    for event in events:
        if isinstance(event, Reading):
            yield Loading(f"{name}: {event.done:,} of {event.total:,} tokens read …")
        else:
            yield event


def _dialled(models: Sequence[str], alpha: float) -> list[ModelRef]:
    """References to models, the second one's adapter turned to α."""
    if not isinstance(alpha, int | float) or not abs(alpha) <= MOST_ALPHA:
        raise InputError(f"α must be a number from −{MOST_ALPHA} to {MOST_ALPHA}.")
    refs = [ModelRef.parse(model) for model in models]
    if len(refs) > 1 and refs[1].adapter:
        refs[1] = replace(refs[1], alpha=alpha)
    return refs
