"""Engines that speak in text, or that score none: llama-cpp-python's server, llama.cpp's, Ollama
and OpenAI. Where no ids are told, a token is found by what it stands for.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from lmlab.errors import InputError
from lmlab.models.backends.server.calls import Ask
from lmlab.models.backends.server.dialects import (
    NEUTRAL,
    Completions,
    Dialect,
    Ended,
    Finite,
    Logprobs,
    Sglang,
    Vllm,
    ended,
    told,
)
from lmlab.models.model import Drawn, Read

PENALISED = {key: key for key in NEUTRAL} | {"repetition_penalty": "repeat_penalty"}
SEEDS = 2**31


class Texts(Vllm):
    """Text in, text out."""

    controls: Mapping[str, str] = PENALISED

    def text_of(self, ids: Sequence[int]) -> str:
        """What ids stand for; the start that the engine puts there by itself is left out."""
        data = b"".join(self.vocabulary.read(ids, at) for at in range(self.lead(ids), len(ids)))
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise InputError(
                f"‘{self.name}’ takes text alone, and this one is cut inside of a character.",
                "Add or remove a character.",
            ) from None

    def lead(self, ids: Sequence[int]) -> int:
        """How many ids in front are the tokenizer's own start."""
        lead = self.vocabulary.leading
        return len(lead) if tuple(ids[: len(lead)]) == lead else 0

    def id_of(self, token: str, data: Sequence[int] | None = None) -> int:
        found = self.known(token, data)
        if found is None:
            raise self.misfit(f"tells a token that the tokenizer has not: ‘{token[:40]}’")
        return found

    def tops(self, told: Mapping[str, float]) -> Mapping[int, float]:
        pairs = ((self.known(token), logprob) for token, logprob in told.items())
        return {token: logprob for token, logprob in pairs if token is not None}

    def known(self, token: str, data: Sequence[int] | None = None) -> int | None:
        """The id of a token by its bytes; None where it has none."""
        return self._ids.get(token.encode(errors="replace") if data is None else bytes(data))

    @cached_property
    def _ids(self) -> Mapping[bytes, int]:
        return {self.vocabulary.data(i): i for i in reversed(range(len(self.vocabulary.tokenizer)))}


class Echo(Texts):
    """llama-cpp-python's server, started with ``--logits_all``: prompts come back with scores."""

    most = 5

    def scoring(self, read: Read, k: int) -> Ask:
        if self.lead(read.ids) == read.low:
            raise InputError(
                f"‘{self.name}’ does not score the first token of what it is sent.",
                "Give a prefix, which is not scored.",
            )
        # To this engine 0 tokens are as many as there is room for.
        more = {"max_tokens": 1, "echo": True, "logprobs": k, "temperature": 0}
        body = {"model": self.model, "prompt": self.text_of(read.ids), **more}
        return Ask("/v1/completions", body)

    def scored(self, answer: Any, read: Read) -> list[Drawn]:
        choices, lead = self.parsed(Completions, answer).choices, self.lead(read.ids)
        given, n = choices[0].logprobs if choices else None, len(read.ids) - lead
        if given is None or len(given.tokens) not in (n, n + 1):
            there = len(given.tokens) if given else 0
            raise self.misfit(f"tells {there:,} tokens where {n:,} were asked about")
        for place in range(n):
            data = self.vocabulary.read(read.ids, place + lead)
            if given.tokens[place] != data.decode(errors="ignore"):
                raise self.other(place + lead)
        # In front stands a null, which is not asked about.
        asked = slice(read.low - lead, n)
        columns = {name: column and column[asked] for name, column in given.model_dump().items()}
        rows = self.rows(Logprobs.model_validate(columns))
        pairs = zip(read.ids[read.low :], rows, strict=True)
        return [told(token, logprob, self.tops(top)) for token, (_, logprob, top) in pairs]

    def drawing(self, ids: Sequence[int], config: Any, seed: int, k: int) -> Ask:
        return self.completion(self.text_of(ids), config, seed % SEEDS, {"logprobs": k})


class OpenAi(Echo):
    """OpenAI's completions, and what speaks like them: generated tokens alone."""

    controls = MappingProxyType({"temperature": "temperature", "top_p": "top_p"})
    scoring = Dialect.scoring


class TokenInfo(BaseModel):
    """A token as llama.cpp's server and Ollama tell it."""

    logprob: Finite
    id: int | None = None
    token: str = ""
    bytes: list[int] | None = None
    top_logprobs: "list[TokenInfo]" = []


class Chunk(BaseModel):
    """A piece of llama.cpp's or Ollama's answer."""

    stop: bool = False
    stop_type: str | None = None
    completion_probabilities: list[TokenInfo] | None = None
    done: bool = False
    done_reason: str | None = None
    logprobs: list[TokenInfo] | None = None


class Ollama(Texts):
    """Ollama's own ``/api/generate``, raw: generated tokens alone."""

    scoring = Dialect.scoring

    def drawing(self, ids: Sequence[int], config: Any, seed: int, k: int) -> Ask:
        more = {"num_predict": config.max_new_tokens, "seed": seed % SEEDS}
        asked = {"model": self.model, "prompt": self.text_of(ids), "raw": True, "stream": True}
        asked |= {"logprobs": True, "top_logprobs": k, "options": self.sampling(config) | more}
        return Ask("/api/generate", asked, streams=True)

    def drawn(self, chunk: Any, came: int) -> Ended:
        found = self.parsed(Chunk, chunk)
        given = found.logprobs or found.completion_probabilities or []
        places = [told(self._id(one), one.logprob, self._tops(one)) for one in given]
        reason = found.done_reason or found.stop_type or "stop"
        return places, ended(reason) if found.done or found.stop else ""

    def _id(self, one: TokenInfo) -> int:
        return self.id_of(one.token, one.bytes) if one.id is None else one.id

    def _tops(self, one: TokenInfo) -> Mapping[int, float]:
        pairs = ((self.known(t.token, t.bytes) if t.id is None else t.id, t.logprob)
                 for t in one.top_logprobs)  # fmt: skip
        return {token: logprob for token, logprob in pairs if token is not None}


class LlamaCpp(Ollama):
    """llama.cpp's server: ids in, ids out; it scores no prompt."""

    def drawing(self, ids: Sequence[int], config: Any, seed: int, k: int) -> Ask:
        asked = {"prompt": list(ids), "n_predict": config.max_new_tokens, "n_probs": k}
        asked |= {"seed": seed % SEEDS, "stream": True, **self.sampling(config)}
        return Ask("/completion", asked, streams=True)


DIALECTS: Mapping[str, type[Dialect]] = {
    "vllm": Vllm,
    "sglang": Sglang,
    "llamacpp": LlamaCpp,
    "llama-cpp-python": Echo,
    "ollama": Ollama,
    "openai": OpenAi,
}
