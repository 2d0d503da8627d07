"""Asks a model every query after one set of examples, and says what it answered to each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lmlab.errors import InputError
from lmlab.features.prompt.evaluations import Prediction, Unfit
from lmlab.generation.answering import complete
from lmlab.generation.sampling import GenerateConfig
from lmlab.maths.agreement import exact_match, token_f1
from lmlab.models import controls
from lmlab.models.forms import Form
from lmlab.models.model import LM
from lmlab.models.tokens import Encoded, Vocabulary, encode, encode_prompt
from lmlab.scoring.likelihoods import Likelihood, likelihoods
from lmlab.text.chat import Rendered, form_for, stops_in
from lmlab.text.choosing import CONTENT_FREE, Blank, best, mean_shares, scored
from lmlab.text.parts import Pieces, Prompt
from lmlab.text.protocols import Protocol
from lmlab.text.rows import Row
from lmlab.text.templates import PromptTemplate


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
    """A model, a wording, and what of it was rendered for some queries and sets of examples."""

    lm: LM  # the caller holds its weights' lock
    template: PromptTemplate
    protocol: Protocol
    rendered: Rendered
    blanks: Sequence[Pieces] = ()  # queries without content; none for free answers

    @cached_property
    def form(self) -> Form:
        """The form that prompts take."""
        lm = self.lm
        return form_for(lm.vocabulary, self.template, self.protocol.form, lm.form)

    def ask(self, draw: int, numbers: Sequence[int]) -> Iterator[Unfit | list[Prediction]]:
        """Every query, each by its number, after one set of examples; yields what does not fit,
        then answers by batch."""
        fitting = []
        asked = zip(numbers, self.rendered.queries, self.prompts(draw), strict=True)
        for number, pieces, prompt in asked:
            length = self._length(prompt)
            if length > self.lm.context:
                yield Unfit(number, draw, length)
            else:
                fitting.append(Query(number, pieces, prompt))
        answered = self._choose if self.template.chooses else self._write
        if fitting:
            yield from answered(draw, fitting)

    def prompts(self, draw: int = 0, queries: Sequence[Pieces] | None = None) -> list[Prompt]:
        """In the form that was asked for, or that the model was tuned in."""
        return self.rendered.prompts(self.lm.vocabulary, self.form, draw, queries)

    def weigh(self, prompt: Prompt) -> tuple[tuple[float, ...], Blank]:
        """ln p of each choice after one prompt, and what the choices get where nothing is asked."""
        ends = list(prompt.targets.values())
        found = self._all([self._encoded(prompt, end) for end in ends])
        blank = Blank(self._unconditional([ends])[0], self._content_free(0))
        return tuple(found[i].logprob for i in range(len(ends))), blank

    def _length(self, prompt: Prompt) -> int:
        ends = {prompt.target, *prompt.targets.values()}
        return max(len(encode_prompt(self.lm.vocabulary, prompt.text + end)) for end in ends)

    def _choose(self, draw: int, queries: Sequence[Query]) -> Iterator[list[Prediction]]:
        """By likelihood; a query is answered once all of its choices are scored."""
        ends = [tuple(query.prompt.targets.values()) for query in queries]
        free = self._content_free(draw)
        blanks = [Blank(alone, free) for alone in self._unconditional(ends)]
        items, owner = list[Encoded](), list[int]()
        for place, query in enumerate(queries):
            items += [self._encoded(query.prompt, end) for end in ends[place]]
            owner += [place] * len(ends[place])
        waiting: dict[int, dict[int, Likelihood]] = {}
        for part in likelihoods(self.lm, items, share=self._sharing):
            for i, found in part.items():
                waiting.setdefault(owner[i], {})[i] = found
            ready = sorted(p for p, scores in waiting.items() if len(scores) == len(ends[p]))
            scores = {p: [one for _, one in sorted(waiting.pop(p).items())] for p in ready}
            yield [self._chosen(draw, queries[p], scores[p], blanks[p]) for p in ready]

    def _chosen(
        self, draw: int, query: Query, found: Sequence[Likelihood], blank: Blank
    ) -> Prediction:
        choices = list(query.prompt.targets)
        logprobs = tuple(one.logprob for one in found)
        scores = scored(logprobs, list(query.prompt.targets.values()), blank)
        chosen = {way: best(values, choices) for way, values in scores.items()}
        true = found[choices.index(query.truth)]
        return _prediction(
            draw,
            query,
            chosen[self.protocol.way if self.protocol.way in chosen else "sum"],
            true,
            n_prompt=true.n_context,
            logprobs=logprobs,
            calibrated=scores.get("calibrated", ()),
            choices=tuple(chosen.items()),
            options=tuple(choices) if self.template.options else (),
        )

    def _write(self, draw: int, queries: Sequence[Query]) -> Iterator[list[Prediction]]:
        """By greedy completion, read by the template's G."""
        true = self._all([self._encoded(query.prompt, query.prompt.target) for query in queries])
        prompts = [encode_prompt(self.lm.vocabulary, query.prompt.text) for query in queries]
        config = GenerateConfig(
            max_new_tokens=self.protocol.max_new_tokens,
            temperature=0,
            stop=stops_in(self.lm.vocabulary, self.form, self.template.stop),
            alternatives=0,
        )
        for part in complete(self.lm, prompts, config, share=self._sharing):
            ended = [finish in ("end", "stop") for _, finish in part.values()]
            answers = self.template.decode_all([text for text, _ in part.values()], ended)
            yield [
                _prediction(
                    draw,
                    queries[i],
                    answer.value,
                    true[i],
                    correct=exact_match(answer.value or "", queries[i].truth),
                    n_prompt=len(prompts[i]),
                    completion=text,
                    reason=answer.reason,
                    f1=token_f1(answer.value or "", queries[i].truth),
                )
                for (i, (text, _)), answer in zip(part.items(), answers, strict=True)
            ]

    def _unconditional(self, choices: Sequence[Sequence[str]]) -> list[tuple[float, ...]]:
        """ln p of each choice with nothing before it; empty where that cannot be had."""
        ends = list(dict.fromkeys(end for row in choices for end in row))
        bare = [encode(self.lm.vocabulary, end) for end in ends]
        if not all(item.n_context and len(item.ids) <= self.lm.context for item in bare):
            return [()] * len(choices)
        found = self._all(bare)
        alone = {end: found[i].logprob for i, end in enumerate(ends)}
        return [tuple(alone[end] for end in row) for row in choices]

    def _content_free(self, draw: int) -> tuple[float, ...]:
        """ln of each label's share after these examples and no content; empty without labels."""
        if not self.protocol.calibrate or not self.blanks:
            return ()
        prompts = self.prompts(draw, self.blanks)
        items = [self._encoded(p, end) for p in prompts for end in p.targets.values()]
        if max(len(item.ids) for item in items) > self.lm.context:
            return ()
        found, n = self._all(items), len(self.template.labels)
        return mean_shares(
            [[found[p * n + j].logprob for j in range(n)] for p in range(len(prompts))]
        )

    @property
    def _sharing(self) -> bool:
        """Whether a common beginning is read once."""
        return self.lm.shares and self.protocol.share

    def _encoded(self, prompt: Prompt, end: str) -> Encoded:
        found = encode(self.lm.vocabulary, end, prompt.text, given=prompt.turn)
        if found.n_context == 0:
            raise InputError("The prompt is empty: nothing stands before the answer.")
        return found

    def _all(self, items: Sequence[Encoded]) -> dict[int, Likelihood]:
        found: dict[int, Likelihood] = {}
        for part in likelihoods(self.lm, items, share=self._sharing):
            found |= part
        return found


def _prediction(
    draw: int, query: Query, answer: str | None, true: Likelihood, **more: Any
) -> Prediction:
    """An answer to a query; by default it is right where it is the true one."""
    return Prediction(
        row=query.number,
        draw=draw,
        query=query.pieces.query,
        truth=query.truth,
        answer=answer,
        nll=-true.logprob,
        n_tokens=true.n_tokens,
        **{"correct": answer == query.truth, **more},
    )


def prepared(
    template: PromptTemplate, queries: Sequence[Row], sets: Sequence[Sequence[Row]]
) -> tuple[Rendered, Sequence[Pieces]]:
    """Queries and sets of examples, and queries without content, all rendered at once."""
    found, n = Rendered.of(template, [*queries, *content_free(template)], sets), len(queries)
    return replace(found, queries=found.queries[:n]), found.queries[n:]


def content_free(template: PromptTemplate) -> list[dict[str, str]]:
    """Rows without content and without an answer, one for each stand-in; only for labels, and only
    where a wording can do without content: one that compares numbers cannot."""
    if not template.labels:
        return []
    names = [name for name in template.columns if name != template.answer]
    rows = [dict.fromkeys(names, stand_in) for stand_in in CONTENT_FREE]
    if not template.shipped:
        try:
            template.pieces(rows)
        except InputError:
            return []
    return rows


def notes_of(
    vocabulary: Vocabulary,
    template: PromptTemplate,
    examples: Sequence[Row],
    queries: Sequence[Row],
    form: Form,
    learned: Form | None,
) -> Iterator[str]:
    """What a reader has to know of prompts: another form than the model was tuned in, and control
    tokens that were typed in rows."""
    if learned is not None and learned != form:
        yield f"The model was tuned in the {learned} form, and is asked in the {form} form here."
    find = controls.finder(vocabulary)
    for what, rows in (("Query", queries), ("Example", examples)):
        typed = [find(row.get(column, "") for column in template.columns) for row in rows]
        yield from controls.said([(n, one) for n, one in enumerate(typed, 1) if one], what)
