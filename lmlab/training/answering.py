"""Which held-out rows a model on its way answers right, counted as ``evaluate`` counts: what is
chosen by the likelihood of each choice, what is free by greedy completion and G.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from lmlab.generation.answering import complete
from lmlab.generation.sampling import GenerateConfig
from lmlab.maths.agreement import exact_match
from lmlab.models.model import LM
from lmlab.models.tokens import Encoded, encode, encode_prompt
from lmlab.scoring.likelihoods import likelihoods
from lmlab.text.choosing import best
from lmlab.text.parts import Prompt
from lmlab.text.templates import PromptTemplate
from lmlab.training.losses import MEASURED, Ask

Asked = tuple[Prompt, str]  # a prompt and its true answer


def share_right(
    lm: LM,
    template: PromptTemplate,
    asked: Sequence[Asked],
    config: GenerateConfig,
    ask: Ask = lambda: None,
) -> float | None:
    """Share of the prompts that are answered right; None where none of them fits.

    Args:
        lm: the model.
        template: the wording.
        asked: prompts in the form that the model gets, each with its true answer.
        config: of free answers: the stop strings, and their greatest length.
        ask: called between rows, and between the tokens of an answer.
    """
    fitting = [one for one in asked if _fits(lm, one[0])]
    if not fitting:
        return None
    if template.chooses:
        answers = _chosen(lm, [prompt for prompt, _ in fitting], ask)
        right = [answer == truth for answer, (_, truth) in zip(answers, fitting, strict=True)]
    else:
        read = _written(lm, template, [prompt for prompt, _ in fitting], config, ask)
        right = [
            exact_match(answer or "", truth)
            for answer, (_, truth) in zip(read, fitting, strict=True)
        ]
    return sum(right) / len(right)


def _fits(lm: LM, prompt: Prompt) -> bool:
    """Whether the model reads the prompt with its longest answer, and something stands before."""
    ends = {prompt.target, *prompt.targets.values()}
    longest = max(len(encode_prompt(lm.vocabulary, prompt.text + end)) for end in ends)
    return longest <= lm.context and _encoded(lm, prompt, prompt.target).n_context > 0


def _encoded(lm: LM, prompt: Prompt, end: str) -> Encoded:
    return encode(lm.vocabulary, end, prompt.text, given=prompt.turn)


def _chosen(lm: LM, prompts: Sequence[Prompt], ask: Ask) -> list[str]:
    """The likeliest choice of each prompt, by the sum of ln p."""
    items = [_encoded(lm, p, end) for p in prompts for end in p.targets.values()]
    logprobs: list[float] = []
    for some in _pieces(items):
        ask()
        found: dict[int, Any] = {}
        for part in likelihoods(lm, some, share=False):
            found |= part
        logprobs += [found[place].logprob for place in range(len(some))]
    left = iter(logprobs)
    return [best([next(left) for _ in p.targets], list(p.targets)) for p in prompts]


def _pieces(items: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    """As many items at a time as one batch of measuring reads."""
    piece, tokens = list[Encoded](), 0
    for item in items:
        if piece and tokens + len(item.ids) > MEASURED:
            yield piece
            piece, tokens = [], 0
        piece.append(item)
        tokens += len(item.ids)
    if piece:
        yield piece


def _written(
    lm: LM, template: PromptTemplate, prompts: Sequence[Prompt], config: GenerateConfig, ask: Ask
) -> list[str | None]:
    """What G reads in the greedy completion of each prompt."""
    written: dict[int, Any] = {}
    ids = [encode_prompt(lm.vocabulary, prompt.text) for prompt in prompts]
    for part in complete(lm, ids, config, share=False, ask=ask):
        written |= part
    texts = [written[place][0] for place in range(len(prompts))]
    ended = [written[place][1] in ("end", "stop") for place in range(len(prompts))]
    return [answer.value for answer in template.decode_all(texts, ended)]
