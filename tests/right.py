"""The right value of a number: each token from a forward pass of its own prefix alone."""

import pytest
import torch

from lmlab.generation import answering
from lmlab.generation.complete import generate, iter_sample, prompt_ids, unfold
from lmlab.generation.completions import Next
from lmlab.generation.config import GenerateConfig
from lmlab.models.backends.transformers import decoding
from lmlab.models.decoding import SharedPrefix
from lmlab.models.tokens import encode
from lmlab.progress import Reading
from lmlab.scoring.likelihoods import likelihoods
from lmlab.scoring.score import score, score_many

TEXT = "the little dog ran over the hill and saw a red ball"
LONG = ". ".join([TEXT] * 3)
OTHERS = ("and the cat was singing", "there was a king. ")
GREEDY = GenerateConfig(temperature=0, max_new_tokens=5)
DRAWN = GenerateConfig(temperature=1.0, max_new_tokens=4, seed=3)
CLOSE = {"abs": 2e-3, "rel": 1e-4}


@torch.no_grad()
def right(model, ids, first=1):
    """ln p of ids[first:], each from a forward pass of its own prefix alone."""
    found = []
    for i in range(first, len(ids)):
        row = model(input_ids=torch.tensor([list(ids[:i])]), use_cache=False).logits[0, -1]
        found.append(float(row.double().log_softmax(-1)[ids[i]]))
    return found


def check_scores(lm, text=TEXT):
    """A text alone, texts of several lengths at once, and continuations that share a beginning."""
    alone = score(lm, text)
    ids = [*encode(lm.vocabulary, text).ids]
    assert [t.logprob for t in alone.tokens] == pytest.approx(right(lm.model, ids), **CLOSE)
    for one in score_many(lm, [OTHERS[0], text, OTHERS[1]]):
        ids = encode(lm.vocabulary, one.text).ids
        assert [t.logprob for t in one.tokens] == pytest.approx(right(lm.model, ids), **CLOSE)
    items = [encode(lm.vocabulary, end, text) for end in (" and", " and the cat was here.", " a")]
    for part in likelihoods(lm, items, share=lm.shares):
        for i, found in part.items():
            expected = sum(right(lm.model, items[i].ids, items[i].n_context))
            assert found.logprob == pytest.approx(expected, **CLOSE)


def check_completions(lm, text=TEXT):
    """Each step's belief, several rows at once, and free answers that share a beginning."""
    ids = prompt_ids(lm, text)
    places = [event for event in unfold(lm, text, GREEDY) if isinstance(event, Next)]
    for place in places:
        whole = lm.model(torch.tensor([place.ids]), use_cache=False).logits[0, -1]
        logp = torch.tensor(place.logits).log_softmax(-1)
        torch.testing.assert_close(logp, whole.log_softmax(-1), atol=2e-3, rtol=1e-3)
    rows: dict[int, list] = {0: [], 1: [], 2: []}
    for event in iter_sample(lm, text, DRAWN, n=3):
        if not isinstance(event, Reading):
            rows[event[0]].append(event[1])
    for steps in rows.values():
        full = [*ids, *(step.id for step in steps)]
        expected = right(lm.model, full, len(ids))
        assert [step.logprob for step in steps] == pytest.approx(expected, **CLOSE)
    asked = [text + end for end in (" and", " the", " and the cat")]
    prompts = [prompt_ids(lm, one) for one in asked]
    reader = SharedPrefix(lm, prompts[0][:8])
    decoder = decoding.CachedDecoder(lm)
    for prompt in prompts:
        logits = decoder.read_all([prompt, prompt], reader)
        whole = lm.model(torch.tensor([prompt]), use_cache=False).logits[0, -1].log_softmax(-1)
        torch.testing.assert_close(logits[1].log_softmax(-1), whole, atol=2e-3, rtol=1e-3)
    for part in answering.complete(lm, prompts, GREEDY, share=True):
        for i, (answer, _) in part.items():
            assert answer == "".join(step.shown for step in generate(lm, asked[i], GREEDY))
