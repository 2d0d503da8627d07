"""Reading a prompt in pieces and the lean steps after it: the numbers of one plain forward pass."""

import pytest
import torch

from lmlab.api import load
from lmlab.generation.complete import generate, iter_sample, prompt_ids, unfold
from lmlab.generation.completions import Next
from lmlab.generation.config import GenerateConfig
from lmlab.generation.sidebyside import iter_side_by_side
from lmlab.lab import Lab
from lmlab.models.backends.transformers import decoding
from lmlab.progress import Loading, Reading
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.settings import Settings
from tests import folders
from tests.test_sidebyside import adapter

LONG = "the little dog ran over the hill and saw a big red ball"
GREEDY = GenerateConfig(temperature=0, max_new_tokens=4)


@pytest.fixture
def pieces(monkeypatch):
    """Prompts are read five tokens at a time."""
    monkeypatch.setattr(decoding, "LEAST", 5)
    monkeypatch.setattr(decoding, "WORK", 0)


@pytest.mark.parametrize("architecture", folders.ARCHITECTURES)
def test_a_prompt_in_pieces_gives_the_numbers_of_one_pass(folder, pieces, architecture):
    lm = load(str(folder(architecture, "bytelevel-bos")))
    ids = prompt_ids(lm, LONG)
    events = list(unfold(lm, LONG, GREEDY))
    reading = [event for event in events if isinstance(event, Reading)]
    assert reading == [Reading(n, len(ids)) for n in range(5, len(ids), 5)]
    places = [event for event in events if isinstance(event, Next)]
    for place in places:
        whole = lm.model(torch.tensor([place.ids])).logits[0, -1]
        torch.testing.assert_close(torch.tensor(place.logits), whole, atol=2e-4, rtol=1e-4)


def test_a_soft_prompt_stands_before_the_first_piece_alone(folder, prompt_folder, pieces):
    lm = load(f"{folder('llama', 'bytelevel-bos')}+{prompt_folder}")
    cut = next(event for event in unfold(lm, LONG, GREEDY) if isinstance(event, Next))
    ids = torch.tensor([prompt_ids(lm, LONG)])
    embedded = torch.cat([lm.soft_prompt[None], lm.model.get_input_embeddings()(ids)], 1)
    whole = lm.model(inputs_embeds=embedded).logits[0, -1]
    torch.testing.assert_close(torch.tensor(cut.logits), whole, atol=2e-4, rtol=1e-4)


def test_rows_of_adapters_are_read_in_pieces_as_well(folder, tmp_path, pieces):
    base = str(folder("llama", "bytelevel-bos"))
    refs = [ModelRef(base), ModelRef(base, adapter(tmp_path / "a", base))]
    found = [[], []]
    with ModelStore().borrow_all(refs) as lms:
        events = list(iter_side_by_side(lms, LONG, GREEDY))
        for event in events:
            if not isinstance(event, Reading):
                found[event[0]].append(event[1].id)
        assert isinstance(events[0], Reading)
    for ref, ids in zip(refs, found, strict=True):
        with ModelStore().borrow(ref) as lm:
            assert ids == [step.id for step in generate(lm, LONG, GREEDY)]


def test_short_prompts_and_small_models_are_read_at_once(folder):
    lm = load(str(folder("llama", "bytelevel-bos")))
    assert decoding.piece(lm, 1) == decoding.MOST > lm.context
    assert not any(isinstance(event, Reading) for event in unfold(lm, LONG, GREEDY))
    assert not any(isinstance(event, Reading) for event in iter_sample(lm, LONG, GREEDY, n=3))


def test_a_stop_ends_the_reading(folder, pieces, monkeypatch):
    passes = []
    plain = decoding.CachedDecoder._call
    monkeypatch.setattr(
        decoding.CachedDecoder,
        "_call",
        lambda self, inputs: passes.append(1) or plain(self, inputs),
    )
    lab = Lab.open(Settings(offline=True))
    path = str(folder("llama", "bytelevel-bos"))
    events = lab.complete(path, LONG, GREEDY)
    said = next(e for e in events if isinstance(e, Loading) and "tokens read" in e.message)
    assert "5 of " in said.message
    events.close()
    assert len(passes) == 1
    with lab.store.borrow(path) as lm:
        assert list(generate(lm, LONG, GREEDY))
