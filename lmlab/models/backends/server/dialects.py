"""What an engine is asked and how it answers, to the letter of its format: vLLM and SGLang, which
take and give ids. Whatever does not fit is a ``MisfitError``, never a number that was made up.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from lmlab.errors import InputError, ModelError
from lmlab.models.backends.server.calls import Ask
from lmlab.models.model import Drawn, Read
from lmlab.models.tokens import Vocabulary

M = TypeVar("M", bound=BaseModel)
Finite = Annotated[float, Field(allow_inf_nan=False)]
Ended = tuple[list[Drawn], str]  # tokens, and whether they end by ``stop`` or ``length``
TOKEN_ID = "token_id:"
NEUTRAL = {"temperature": 1, "top_p": 1, "top_k": 0, "min_p": 0, "repetition_penalty": 1}


class MisfitError(ModelError):
    """An answer is not what an engine of this kind answers."""


class Dialect:
    """One kind of engine.

    Args:
        name: of the server, for errors.
        model: what the server calls it.
        vocabulary: of the tokenizer that the host named.
    """

    most = 20  # alternatives of a token that an engine tells, started as it comes
    controls: Mapping[str, str] = {key: key for key in NEUTRAL}  # those it has, as it calls them

    def __init__(self, name: str, model: str, vocabulary: Vocabulary) -> None:
        self.name, self.model, self.vocabulary = name, model, vocabulary

    def scoring(self, read: Read, k: int) -> Ask:
        """What is asked for the scored places of a read, with k ≥ 1 alternatives."""
        raise self.misfit("scores no text")

    def scored(self, answer: Any, read: Read) -> list[Drawn]:
        """The scored places."""
        raise NotImplementedError

    def drawing(self, ids: Sequence[int], config: Any, seed: int, k: int) -> Ask:
        """What is asked for a completion, as a stream."""
        raise NotImplementedError

    def drawn(self, chunk: Any, came: int) -> Ended:
        """What a chunk of that stream brings after so many tokens."""
        raise NotImplementedError

    def misfit(self, what: str) -> MisfitError:
        """The error that says what does not fit."""
        return MisfitError(f"‘{self.name}’ {what}.", "Are its kind and tokenizer named rightly?")

    def parsed(self, kind: type[M], answer: Any) -> M:
        """An answer in the form that it must have."""
        try:
            return kind.model_validate(answer)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "its beginning"
            raise self.misfit(f"answers in another form, at {where}: {first['msg']}") from None

    def other(self, place: int) -> MisfitError:
        """An answer is about other tokens than were asked about."""
        return self.misfit(
            f"answers about other tokens than it was asked, from number {place + 1:,}"
        )

    def counted(self, column: Sequence[Any] | None, n: int, what: str) -> Sequence[Any]:
        """A column of that length."""
        if column is None or len(column) != n:
            raise self.misfit(f"tells {len(column or ()):,} {what} where there are {n:,}")
        return column

    def sampling(self, config: Any) -> dict[str, Any]:
        """The controls as the engine calls them.

        Raises:
            InputError: it has not one of them that is used.
        """
        for key in NEUTRAL.keys() - self.controls.keys():
            if getattr(config, key) != NEUTRAL[key]:
                said = f"‘{self.name}’ has no {key.replace('_', ' ')}."
                raise InputError(said, "Leave that control as it is.")
        return {called: getattr(config, key) for key, called in self.controls.items()}


def told(token: int, logprob: float, tops: Mapping[int, float], rank: int | None = None) -> Drawn:
    """A place with its alternatives, best first; the token stands among them where it belongs."""
    top = sorted({**tops, token: logprob}.items(), key=lambda pair: -pair[1])
    return Drawn(token, logprob, rank, tuple(top[: max(1, len(tops))]))


def ended(reason: str | None) -> str:
    """How a completion ended; empty where it goes on."""
    return "" if not reason else "length" if reason in ("length", "limit") else "stop"


class PromptToken(BaseModel):
    logprob: Finite
    rank: int | None = None


class Logprobs(BaseModel):
    tokens: list[str]
    token_logprobs: list[Finite | None]
    top_logprobs: list[dict[str, Finite] | None] | None = None


class Choice(BaseModel):
    logprobs: Logprobs | None = None
    prompt_logprobs: list[dict[int, PromptToken] | None] | None = None
    finish_reason: str | None = None


class Completions(BaseModel):
    choices: list[Choice]


class Vllm(Dialect):
    """vLLM, and ``lmlab serve``: ids in, ids out, ranks of a prompt's tokens."""

    def scoring(self, read: Read, k: int) -> Ask:
        asked = {"max_tokens": 0, "echo": True, "prompt_logprobs": k, "temperature": 0}
        return Ask("/v1/completions", {"model": self.model, "prompt": list(read.ids), **asked})

    def scored(self, answer: Any, read: Read) -> list[Drawn]:
        choices = self.parsed(Completions, answer).choices
        rows = choices[0].prompt_logprobs if choices else None
        rows = list(self.counted(rows, len(read.ids), "log-probabilities of the prompt"))
        found = []
        for place in range(read.low, len(read.ids)):
            row, token = rows[place] or {}, read.ids[place]
            if token not in row:
                raise self.other(place)
            tops = {i: one.logprob for i, one in row.items()}
            found.append(told(token, row[token].logprob, tops, row[token].rank))
        return found

    def drawing(self, ids: Sequence[int], config: Any, seed: int, k: int) -> Ask:
        more = {"top_k": config.top_k or -1, "logprobs": k, "return_tokens_as_token_ids": True}
        return self.completion(list(ids), config, seed, more)

    def completion(self, prompt: Any, config: Any, seed: int, more: Mapping[str, Any]) -> Ask:
        """A completion as OpenAI asks for it."""
        asked = {"model": self.model, "prompt": prompt, "max_tokens": config.max_new_tokens}
        asked |= {"seed": seed, "stream": True, **self.sampling(config), **more}
        return Ask("/v1/completions", asked, streams=True)

    def drawn(self, chunk: Any, came: int) -> Ended:
        choices = self.parsed(Completions, chunk).choices[:1]
        rows = [row for choice in choices for row in self.rows(choice.logprobs)]
        return (
            [told(self.id_of(token), logprob, self.tops(top)) for token, logprob, top in rows],
            "".join(ended(choice.finish_reason) for choice in choices),
        )

    def rows(self, given: Logprobs | None) -> Iterator[tuple[str, float, Mapping[str, float]]]:
        """(token, logprob, alternatives) of each token."""
        if given is None:
            return
        n = len(given.tokens)
        logprobs = self.counted(given.token_logprobs, n, "log-probabilities")
        tops = self.counted(given.top_logprobs or [None] * n, n, "lists of alternatives")
        for token, logprob, top in zip(given.tokens, logprobs, tops, strict=True):
            if logprob is None:
                raise self.misfit("leaves out the log-probability of a token")
            yield token, logprob, top or {}

    def tops(self, told: Mapping[str, float]) -> Mapping[int, float]:
        """Alternatives by id."""
        return {self.id_of(token): logprob for token, logprob in told.items()}

    def id_of(self, token: str) -> int:
        """The id of a token as it is told."""
        number = token.removeprefix(TOKEN_ID)
        if number == token or not number.isdecimal():
            raise self.misfit("tells no ids of its tokens (return_tokens_as_token_ids)")
        return int(number)


Entry = tuple[Finite | None, int, str | None]
Tops = list[list[Entry] | None]


class Finish(BaseModel):
    type: str


class Meta(BaseModel):
    input_token_logprobs: list[Entry] | None = None
    input_top_logprobs: Tops | None = None
    output_token_logprobs: list[Entry] = []
    output_top_logprobs: Tops = []
    completion_tokens: int = 0
    finish_reason: Finish | None = None


class Generated(BaseModel):
    meta_info: Meta


class Sglang(Dialect):
    """SGLang's own ``/generate``: ids in, ids out; no ranks."""

    def scoring(self, read: Read, k: int) -> Ask:
        return self._asked(read.ids, {"max_new_tokens": 0, "temperature": 0}, k, read.low - 1)

    def scored(self, answer: Any, read: Read) -> list[Drawn]:
        meta, n = self.parsed(Generated, answer).meta_info, len(read.ids) - read.low + 1
        # The first of them is null: what stands before it does not count.
        rows = self.counted(meta.input_token_logprobs, n, "log-probabilities of the prompt")[1:]
        tops = self.counted(meta.input_top_logprobs, n, "lists of alternatives")[1:]
        for place, (row, token) in enumerate(
            zip(rows, read.ids[read.low :], strict=True), read.low
        ):
            if row[1] != token:
                raise self.other(place)
        return self._places(rows, tops)

    def drawing(self, ids: Sequence[int], config: Any, seed: int, k: int) -> Ask:
        controls = self.sampling(config) | {"top_k": config.top_k or -1, "sampling_seed": seed}
        controls["max_new_tokens"] = config.max_new_tokens
        return self._asked(ids, controls, k, -1, streams=True)

    def drawn(self, chunk: Any, came: int) -> Ended:
        meta = self.parsed(Generated, chunk).meta_info
        rows = meta.output_token_logprobs
        tops = self.counted(meta.output_top_logprobs, len(rows), "lists of alternatives")
        # All so far, or the new ones alone, by how the engine was started.
        first = max(0, len(rows) - max(0, meta.completion_tokens - came))
        finish = meta.finish_reason.type if meta.finish_reason else None
        return self._places(rows[first:], tops[first:]), ended(finish)

    def _asked(
        self, ids: Sequence[int], controls: Any, k: int, start: int, streams: bool = False
    ) -> Ask:
        more = {"return_logprob": True, "logprob_start_len": start, "top_logprobs_num": k}
        body = {"input_ids": list(ids), "sampling_params": controls, "stream": streams, **more}
        return Ask("/generate", body, streams)

    def _places(self, rows: Sequence[Entry], tops: Sequence[list[Entry] | None]) -> list[Drawn]:
        found = []
        for (logprob, token, _), top in zip(rows, tops, strict=True):
            if logprob is None:
                raise self.misfit("leaves out the log-probability of a token")
            known = {i: value for value, i, _ in top or () if value is not None}
            found.append(told(token, logprob, known))
        return found
