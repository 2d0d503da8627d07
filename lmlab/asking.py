"""Asks a model every query after one set of examples, and says what it answered to each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from lmlab.agreement import exact_match, token_f1
from lmlab.answering import complete
from lmlab.chat import as_chat, has_chat
from lmlab.choosing import CONTENT_FREE, Blank, best, mean_shares, scored
from lmlab.errors import InputError
from lmlab.evaluations import Prediction, Unfit
from lmlab.likelihoods import Likelihood, likelihoods
from lmlab.lm import LM
from lmlab.prompts import Pieces, Prompt, joined
from lmlab.protocols import Protocol
from lmlab.sampling import GenerateConfig
from lmlab.templates import PromptTemplate
from lmlab.tokens import Encoded, encode, encode_prompt


@dataclass(frozen=True)
class Query:
    """A query that fits, ready to be asked."""

    number: int
    pieces: Pieces
    prompt: Prompt

    @property
    def truth(self) -> str:
        """The true answer."""
        return self.pieces.truth or ""


@dataclass(frozen=True)
class Asking:
    """A model, a wording and the instruction that opens every prompt.

    Attributes:
        lm: the model; the caller holds its weights' lock.
        template: the wording.
        protocol: how answers are chosen.
        instruction: rendered.
        blanks: queries without content, rendered; none for free answers.
        share: whether the model can go on from a common beginning.
    """

    lm: LM
    template: PromptTemplate
    protocol: Protocol
    instruction: str
    blanks: Sequence[Pieces]
    share: bool

    @cached_property
    def chat(self) -> bool:
        """Whether prompts take the chat form."""
        wanted = self.protocol.chat
        return has_chat(self.lm.vocabulary) if wanted is None else wanted

    def ask(
        self, draw: int, shown: Sequence[Pieces], queries: Sequence[Pieces]
    ) -> Iterator[Unfit | list[Prediction]]:
        """Every query after these examples; yields what does not fit, then answers by batch."""
        fitting = []
        for number, pieces in enumerate(queries, 1):
            prompt = self.prompt(shown, pieces)
            length = self._length(prompt)
            if length > self.lm.context:
                yield Unfit(number, draw, length)
            else:
                fitting.append(Query(number, pieces, prompt))
        if not fitting:
            return
        if self.template.labels:
            yield from self._choose(draw, fitting, self._blank(shown))
        else:
            yield from self._write(draw, fitting)

    def prompt(self, shown: Sequence[Pieces], query: Pieces) -> Prompt:
        """The plain form, or the tokenizer's chat form."""
        if self.chat:
            return as_chat(self.lm.vocabulary, self.instruction, shown, query)
        return joined(self.instruction, shown, self.template.separator, query)

    def weigh(self, shown: Sequence[Pieces], prompt: Prompt) -> tuple[tuple[float, ...], Blank]:
        """ln p of each label after one prompt, and what the labels get where nothing is asked."""
        items = [self._encoded(prompt, end) for end in prompt.targets.values()]
        found = self._all(items)
        return tuple(found[i].logprob for i in range(len(items))), self._blank(shown)

    def _length(self, prompt: Prompt) -> int:
        ends = {prompt.target, *prompt.targets.values()}
        return max(len(encode_prompt(self.lm.vocabulary, prompt.text + end)) for end in ends)

    def _choose(
        self, draw: int, queries: Sequence[Query], blank: Blank
    ) -> Iterator[list[Prediction]]:
        """By label likelihood; a query is answered once all of its labels are scored."""
        n = len(self.template.labels)
        items = [self._encoded(q.prompt, end) for q in queries for end in q.prompt.targets.values()]
        waiting: dict[int, Likelihood] = {}
        for part in likelihoods(self.lm, items, share=self._sharing):
            waiting |= part
            places = sorted({i // n for i in part})
            ready = [p for p in places if all(p * n + j in waiting for j in range(n))]
            yield [
                self._chosen(
                    draw,
                    queries[p],
                    [waiting.pop(p * n + j) for j in range(n)],
                    items[p * n].n_context,
                    blank,
                )
                for p in ready
            ]

    def _chosen(
        self, draw: int, query: Query, found: Sequence[Likelihood], n_prompt: int, blank: Blank
    ) -> Prediction:
        labels = list(self.template.labels)
        logprobs = tuple(one.logprob for one in found)
        scores = scored(logprobs, list(query.prompt.targets.values()), blank)
        chosen = {way: best(values, labels) for way, values in scores.items()}
        answer = chosen[self.protocol.way if self.protocol.way in chosen else "sum"]
        true = found[labels.index(query.truth)]
        return Prediction(
            row=query.number,
            draw=draw,
            query=query.pieces.query,
            truth=query.truth,
            answer=answer,
            correct=answer == query.truth,
            nll=-true.logprob,
            n_tokens=true.n_tokens,
            n_prompt=n_prompt,
            logprobs=logprobs,
            calibrated=scores.get("calibrated", ()),
            choices=tuple(chosen.items()),
        )

    def _write(self, draw: int, queries: Sequence[Query]) -> Iterator[list[Prediction]]:
        """By greedy completion, read by the template's G."""
        items = [self._encoded(query.prompt, query.prompt.target) for query in queries]
        true = self._all(items)
        prompts = [encode_prompt(self.lm.vocabulary, query.prompt.text) for query in queries]
        config = GenerateConfig(
            max_new_tokens=self.protocol.max_new_tokens,
            temperature=0,
            stop=self.template.stop,
            alternatives=0,
        )
        for part in complete(self.lm, prompts, config, share=self._sharing):
            places, written = list(part), list(part.values())
            ended = [finish in ("end", "stop") for _, finish in written]
            answers = self.template.decode_all([text for text, _ in written], ended)
            yield [
                Prediction(
                    row=queries[i].number,
                    draw=draw,
                    query=queries[i].pieces.query,
                    truth=queries[i].truth,
                    answer=answer.value,
                    correct=exact_match(answer.value or "", queries[i].truth),
                    nll=-true[i].logprob,
                    n_tokens=true[i].n_tokens,
                    n_prompt=len(prompts[i]),
                    completion=text,
                    reason=answer.reason,
                    f1=token_f1(answer.value or "", queries[i].truth),
                )
                for i, (text, _), answer in zip(places, written, answers, strict=True)
            ]

    def _blank(self, shown: Sequence[Pieces]) -> Blank:
        """What the labels get by themselves, and after these examples and no content."""
        first = self.prompt(shown, self.blanks[0])
        bare = [encode(self.lm.vocabulary, target) for target in first.targets.values()]
        alone = self._all(bare) if all(item.n_context for item in bare) else {}
        unconditional = tuple(alone[i].logprob for i in range(len(alone)))
        if not self.protocol.calibrate:
            return Blank(unconditional)
        prompts = [self.prompt(shown, blank) for blank in self.blanks]
        items = [self._encoded(p, end) for p in prompts for end in p.targets.values()]
        if max(len(item.ids) for item in items) > self.lm.context:
            return Blank(unconditional)
        found, n = self._all(items), len(self.template.labels)
        rows = [[found[p * n + j].logprob for j in range(n)] for p in range(len(prompts))]
        return Blank(unconditional, mean_shares(rows))

    @property
    def _sharing(self) -> bool:
        return self.share and self.protocol.share

    def _encoded(self, prompt: Prompt, end: str) -> Encoded:
        found = encode(self.lm.vocabulary, end, prompt.text)
        if found.n_context == 0:
            raise InputError("The prompt is empty: nothing stands before the answer.")
        return found

    def _all(self, items: Sequence[Encoded]) -> dict[int, Likelihood]:
        found: dict[int, Likelihood] = {}
        for part in likelihoods(self.lm, items, share=self._sharing):
            found |= part
        return found


def content_free(template: PromptTemplate) -> list[dict[str, str]]:
    """Rows without content and without an answer, one for each stand-in; none for free answers."""
    if not template.labels:
        return []
    names = [name for name in template.columns if name != template.answer]
    return [dict.fromkeys(names, stand_in) for stand_in in CONTENT_FREE]
