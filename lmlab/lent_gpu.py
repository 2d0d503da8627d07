"""Which streams run models: where a GPU is lent for seconds at a time, those ask for it."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, NamedTuple

Stream = Callable[..., Iterator[Any]]
# Seconds of a lent GPU that work asks for at most, getting the model there included: scoring, the
# rest. Shorter times come first in the line, so that drawing tokens asks for what they take.
SHORT, LONG = 15, 60
START, A_TOKEN = 10, 0.05


def runs_models(*names: str, seconds: int = LONG) -> Callable[[Stream], Stream]:
    """Mark a generator of a service, or of the lab, as one that runs models: on a lent GPU, for so
    many seconds, where there is one. What it is given and what it yields goes from one process to
    another there. ``names`` are of its arguments that name models, or hold what has a ``model``.
    """

    def mark(method: Stream) -> Stream:
        signature = inspect.signature(method)

        @wraps(method)
        def stream(self: Any, *args: Any, **given: Any) -> Iterator[Any]:
            known = signature.bind(self, *args, **given).arguments
            models = [model for name in names for model in _named(known[name])]
            found: Iterator[Any] = getattr(self, "lab", self).run(
                Work(self, method, models, seconds, args, given)
            )
            return found

        return stream

    return mark


def _named(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if hasattr(value, "model"):
        return [value.model]
    return [name for one in value for name in _named(one)]


class Work(NamedTuple):
    """A call of a stream that runs models, its arguments beside it."""

    service: Any
    method: Stream
    models: Sequence[str]
    seconds: int
    args: tuple[Any, ...]
    given: Mapping[str, Any]


def seconds_of(work: Work) -> int:
    """How long some work asks for a lent GPU.

    >>> from lmlab.generation.config import GenerateConfig
    >>> config = GenerateConfig(max_new_tokens=100)
    >>> seconds_of(Work(None, iter, (), LONG, ("base", "a prompt", config), {}))
    15
    """
    drawn = [getattr(one, "max_new_tokens", 0) for one in (*work.args, *work.given.values())]
    asked = START + A_TOKEN * max(drawn, default=0) if any(drawn) else work.seconds
    return min(work.seconds, int(asked))
