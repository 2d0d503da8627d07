"""What ``lmlab serve`` is asked and what it sends: completions and chats as OpenAI's API has them,
and the scores of a prompt as vLLM has them.
"""

import secrets
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from pydantic import BaseModel, Field

from lmlab.errors import InputError
from lmlab.generation.config import GenerateConfig
from lmlab.hosting.desk import Desk, Row
from lmlab.lab import LONGEST, MOST_SAMPLES
from lmlab.models.model import Read
from lmlab.models.tokens import Vocabulary, encode_prompt

LOWEST = -9999.0  # what JSON has in place of minus infinity
MOST_TOPS = 20
PROMPTS = 256  # of one request
NAMES = {"end": "stop", "stop": "stop", "length": "length", "context": "length"}

Token = tuple[int, float | None, Sequence[tuple[int, float]]]  # id, log-probability, likeliest


class Asked(BaseModel):
    """What completions and chats have in common."""

    model: str
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: str | list[str] | None = None
    n: int = Field(1, ge=1, le=MOST_SAMPLES)
    stream: bool = False
    echo: bool = False

    def config(self, length: int, tops: int) -> GenerateConfig:
        """The controls.

        Raises:
            InputError: one is out of range.
        """
        if length > LONGEST:
            raise InputError(f"At most {LONGEST:,} new tokens are drawn at once.")
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        seed = secrets.randbits(31) if self.seed is None else self.seed
        return GenerateConfig(
            max_new_tokens=max(1, length), temperature=self.temperature, top_p=self.top_p,
            top_k=max(0, self.top_k), min_p=self.min_p, seed=seed, alternatives=tops,
            repetition_penalty=self.repetition_penalty, stop=tuple(stop),
        )  # fmt: skip


class CompletionAsked(Asked):
    prompt: str | list[int] | list[str] | list[list[int]]
    max_tokens: int = Field(16, ge=0)
    logprobs: int | None = Field(None, ge=0, le=MOST_TOPS)
    prompt_logprobs: int | None = Field(None, ge=0, le=MOST_TOPS)
    return_tokens_as_token_ids: bool = False

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """Each prompt by itself.

        Raises:
            InputError: there are none, or too many.
        """
        given: Any = self.prompt
        several = isinstance(given, list) and not (given and isinstance(given[0], int))
        found: list[Any] = given if several else [given]
        if not 1 <= len(found) <= PROMPTS:
            raise InputError(f"A request has from 1 to {PROMPTS} prompts.")
        return found


class Message(BaseModel):
    role: str
    content: str


class ChatAsked(Asked):
    messages: list[Message] = Field(min_length=1, max_length=1000)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool = False
    top_logprobs: int = Field(0, ge=0, le=MOST_TOPS)


@dataclass(frozen=True)
class Card:
    """A model as callers see it."""

    vocabulary: Vocabulary
    context: int

    def ids(self, prompt: str | list[int]) -> list[int]:
        """The ids of a prompt, which may be ids already."""
        if isinstance(prompt, str):
            return encode_prompt(self.vocabulary, prompt)
        known = range(self.vocabulary.rows or len(self.vocabulary.tokenizer))
        if not prompt or not all(token in known for token in prompt):
            raise InputError("A prompt of ids holds at least one, and none that the model has not.")
        return prompt


@dataclass
class Piece:
    """Some tokens of a choice, or its prompt."""

    index: int
    text: str = ""
    tokens: list[Token] = field(default_factory=list)
    finish: str | None = None

    def add(self, more: "Piece") -> None:
        """Go on with what came after."""
        self.text += more.text
        self.tokens += more.tokens
        self.finish = more.finish


class Completion:
    """A request of completions on its way."""

    object, chunk = "text_completion", "text_completion"

    def __init__(self, desk: Desk, card: Card, asked: Any, prompts: Sequence[list[int]]) -> None:
        self.desk, self.card, self.asked, self.prompts = desk, card, asked, prompts
        self.rows: list[list[Row]] = []
        self.config = self.configured()

    def configured(self) -> GenerateConfig:
        """The controls."""
        config: GenerateConfig = self.asked.config(self.asked.max_tokens, self.asked.logprobs or 0)
        return config

    async def pieces(self, caller: str) -> AsyncGenerator[Piece]:
        """All choices, piece by piece."""
        asked = self.asked
        if asked.prompt_logprobs is not None or (asked.echo and asked.logprobs is not None):
            await self._score(caller, max(1, asked.prompt_logprobs or 0, asked.logprobs or 0))
        for index in range(asked.n * len(self.prompts)):
            if asked.echo:
                yield self._echoed(index)
            if not asked.max_tokens:
                yield Piece(index, finish="length")
        if asked.max_tokens:
            async with aclosing(self.drawn(caller)) as pieces:
                async for piece in pieces:
                    yield piece

    async def drawn(self, caller: str) -> AsyncGenerator[Piece]:
        """The choices of all prompts, token by token."""
        desk, asked = self.desk, self.asked
        drawn = desk.complete(caller, asked.model, self.prompts, self.config, asked.n)
        async with aclosing(drawn) as rows:
            async for row in rows:
                for index, step in row:
                    top = [(one.id, one.logprob) for one in step.top]
                    tokens: list[Token] = [(step.id, step.logprob, top)]
                    yield Piece(index, step.shown, tokens, NAMES.get(step.finish or ""))

    async def _score(self, caller: str, k: int) -> None:
        """Score the prompts; the first token of each has no row."""
        most = self.card.context
        if any(len(ids) > most + 1 for ids in self.prompts):
            raise InputError(f"‘{self.asked.model}’ reads at most {most:,} tokens.", "Shorten it.")
        reads = [Read(ids, 1) for ids in self.prompts if len(ids) > 1]
        found = iter(await self.desk.score(caller, self.asked.model, reads, k))
        self.rows = [next(found) if len(ids) > 1 else [] for ids in self.prompts]

    def _echoed(self, index: int) -> Piece:
        which = index // self.asked.n
        ids, given = self.prompts[which], self.asked.prompt
        text = given if isinstance(given, str) else self.card.vocabulary.tokenizer.decode(ids)
        tokens: list[Token] = [(token, None, ()) for token in ids]
        if self.rows:
            tokens[1:] = [(row.id, row.logprob, row.top) for row in self.rows[which]]
        return Piece(index, text, tokens)

    def drawn_in(self, choices: Iterable[Piece]) -> int:
        """How many tokens of choices were drawn."""
        echoed = self.asked.n * sum(map(len, self.prompts)) if self.asked.echo else 0
        return sum(len(one.tokens) for one in choices) - echoed

    def choice(self, piece: Piece, *, whole: bool) -> dict[str, Any]:
        """A choice, or a piece of it, as it is sent."""
        logprobs = None if self.asked.logprobs is None else self._columns(piece.tokens)
        sent = {"index": piece.index, "text": piece.text, "logprobs": logprobs}
        if whole and self.asked.prompt_logprobs is not None:
            sent["prompt_logprobs"] = self._prompt_logprobs(piece.index // self.asked.n)
        return sent | {"finish_reason": piece.finish}

    def name(self, token: int) -> str:
        """A token as it is called."""
        named = self.asked.return_tokens_as_token_ids
        return f"token_id:{token}" if named else self.card.vocabulary.text(token)

    def _columns(self, tokens: Sequence[Token]) -> dict[str, Any]:
        names = [self.name(token) for token, _, _ in tokens]
        ends = [0, *accumulate(map(len, names))]
        return {
            "tokens": names,
            "text_offset": ends[: len(names)],
            "token_logprobs": [None if own is None else max(own, LOWEST) for _, own, _ in tokens],
            "top_logprobs": [
                None
                if own is None
                else {self.name(i): max(value, LOWEST) for i, value in [*top, (token, own)]}
                for token, own, top in tokens
            ],
        }

    def _prompt_logprobs(self, which: int) -> list[Any]:
        def told(token: int, logprob: float, rank: int | None) -> dict[str, Any]:
            text = self.card.vocabulary.text(token)
            return {"logprob": max(logprob, LOWEST), "rank": rank, "decoded_token": text}

        most = self.asked.prompt_logprobs
        found: list[Any] = [None]
        for row in self.rows[which]:
            top = {i: told(i, own, at) for at, (i, own) in enumerate(row.top[:most], 1)}
            found.append(top | {row.id: told(row.id, row.logprob, row.rank)})
        return found


class Chat(Completion):
    """A request of a chat on its way."""

    object, chunk = "chat.completion", "chat.completion.chunk"

    def configured(self) -> GenerateConfig:
        asked = self.asked
        room = max(1, self.card.context - len(self.prompts[0]))
        length = asked.max_completion_tokens or asked.max_tokens or min(room, LONGEST)
        config: GenerateConfig = asked.config(length, asked.top_logprobs)
        return config

    def pieces(self, caller: str) -> AsyncGenerator[Piece]:
        return self.drawn(caller)

    def choice(self, piece: Piece, *, whole: bool) -> dict[str, Any]:
        message = {"role": "assistant", "content": piece.text}
        told = {"content": [self._token(*token) for token in piece.tokens]}
        sent = {"index": piece.index, "message" if whole else "delta": message}
        return sent | {
            "logprobs": told if self.asked.logprobs else None, "finish_reason": piece.finish
        }  # fmt: skip

    def _token(self, token: int, own: float | None, top: Sequence[tuple[int, float]]) -> Any:
        def told(token: int, logprob: float) -> dict[str, Any]:
            data = list(self.card.vocabulary.data(token))
            text = self.card.vocabulary.text(token)
            return {"token": text, "logprob": max(logprob, LOWEST), "bytes": data}

        return told(token, own or 0.0) | {"top_logprobs": [told(*one) for one in top]}
