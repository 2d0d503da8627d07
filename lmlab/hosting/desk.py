"""Runs models for many callers at once: each caller in turn, their texts scored together, their
completions token by token side by side.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock
from typing import Any, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from lmlab.generation.completions import Step
from lmlab.generation.config import GenerateConfig
from lmlab.generation.together import Asked, Queue, serve
from lmlab.models.fair_lock import stepwise
from lmlab.models.model import LM, Read
from lmlab.models.store import FolderStore
from lmlab.models.windows import batched

T = TypeVar("T")
AT_ONCE = 64  # callers whose work is on its way
TOGETHER = 32  # texts of one caller that are scored in one turn


class Row(NamedTuple):
    """A scored token."""

    id: int
    logprob: float
    rank: int | None  # None where the model does not give it
    top: Sequence[tuple[int, float]]  # the likeliest tokens, best first


@dataclass(eq=False)
class Scores:
    """A text that is to be scored."""

    caller: str
    read: Read
    k: int  # alternatives
    rows: list[Row] | None = None


@dataclass
class Desk:
    """Where callers' work waits for the models of a store."""

    store: FolderStore
    waiting: int = 0  # pieces of work that are not done
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE))
    _waiting: dict[str, list[Scores]] = field(default_factory=dict)
    _mutex: Lock = field(default_factory=Lock)
    _asked: dict[str, Queue] = field(default_factory=dict)  # completions, by model
    # Of each caller one piece of work runs: with many he would have as many turns.
    _lines: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def run(
        self, caller: str, model: str, steps: Callable[[LM], Iterator[T]]
    ) -> AsyncGenerator[T]:
        """The steps of a caller's work as they come; to close it ends the work."""
        loop, said, gone = asyncio.get_running_loop(), asyncio.Queue[Any](), Event()

        def work() -> None:
            with self.store.borrow(model) as lm:
                for step in stepwise([lm], steps(lm)):
                    if gone.is_set():
                        return
                    loop.call_soon_threadsafe(said.put_nowait, (step,))

        line = self._lines.setdefault(caller, asyncio.Lock())
        self.waiting += 1
        try:
            async with line:
                done = loop.run_in_executor(self._pool, work)
                done.add_done_callback(lambda _: said.put_nowait(None))
                while (found := await said.get()) is not None:
                    yield found[0]
                await done
        finally:
            self.waiting -= 1
            gone.set()

    async def complete(
        self,
        caller: str,
        model: str,
        prompts: Sequence[Sequence[int]],
        config: GenerateConfig,
        n: int,
    ) -> AsyncGenerator[list[tuple[int, Step]]]:
        """The tokens of n completions of each prompt as they come, [(which of all, step), …]; what
        others ask for meanwhile is completed beside them. To close it ends the work.

        Raises:
            LabError: one of the prompts cannot be completed.
        """
        loop, said = asyncio.get_running_loop(), asyncio.Queue[Any]()

        def tell(found: Any, first: int) -> None:
            if isinstance(found, list):
                found = [(first + which, step) for which, step in found]
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(said.put_nowait, found)

        asked = [
            Asked(caller, ids, config, n, partial(tell, first=i * n))
            for i, ids in enumerate(prompts)
        ]
        queue = self._asked.setdefault(model, Queue())
        self.waiting += 1
        try:
            if queue.add(asked):
                self._pool.submit(self._serve, model, queue)
            ended = 0
            while ended < len(asked):
                found = await said.get()
                if isinstance(found, Exception):
                    raise found
                if found is None:
                    ended += 1
                else:
                    yield found
        finally:
            self.waiting -= 1
            for one in asked:
                one.left = True

    def _serve(self, model: str, queue: Queue) -> None:
        try:
            with self.store.borrow(model) as lm:
                for _ in stepwise([lm], serve(lm, queue)):
                    pass
        except Exception as error:  # whatever it is, it is told to those who wait
            for one in queue.drop():
                one.tell(error)

    async def score(
        self, caller: str, model: str, reads: Sequence[Read], k: int
    ) -> list[list[Row]]:
        """The rows of texts; what others wait for meanwhile is scored with them."""
        mine = [Scores(caller, read, k) for read in reads]
        with self._mutex:
            self._waiting.setdefault(model, []).extend(mine)
        try:
            while any(one.rows is None for one in mine):
                async for _ in self.run(caller, model, lambda lm: self._turn(lm, model, mine)):
                    pass
        finally:
            with self._mutex:
                left = [one for one in self._waiting[model] if one not in mine]
                self._waiting[model] = left
        return [one.rows or [] for one in mine]

    def _turn(self, lm: LM, model: str, mine: Sequence[Scores]) -> Iterator[None]:
        """Score what waits, no more of one caller than is fair; nothing where ``mine`` is done."""
        if all(one.rows is not None for one in mine):
            return
        with self._mutex:
            chosen, of = [], Counter[str]()
            for one in self._waiting[model]:
                of[one.caller] += 1
                if one.rows is None and of[one.caller] <= TOGETHER:
                    chosen.append(one)
        limit = lm.batch_tokens
        length: Callable[[Scores], int] = lambda one: len(one.read.ids)  # noqa: E731
        for batch in batched(chosen, length, lambda n, width: n * width > limit):
            _score(lm, batch)
            yield None
        with self._mutex:
            self._waiting[model] = [one for one in self._waiting[model] if one.rows is None]


def _score(lm: LM, batch: Sequence[Scores]) -> None:
    stats = lm.score([one.read for one in batch], max(one.k for one in batch))
    ranks = stats.rank.tolist() if stats.rank is not None else [None] * len(stats.logprob)
    tops = zip(stats.top_ids.tolist(), stats.top_logprobs.tolist(), strict=True)
    rows = zip(stats.logprob.tolist(), ranks, tops, strict=True)
    for one in batch:
        one.rows = [
            Row(token, logprob, rank, list(zip(*top, strict=True))[: one.k])
            for token, (logprob, rank, top) in zip(one.read.ids[one.read.low :], rows, strict=False)
        ]
