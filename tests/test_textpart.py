"""Models that read images too: their text part is loaded, or it is said why not."""

import pytest
import torch

from lmlab.errors import ModelError
from lmlab.models.backends.transformers.loading import inspect, load, outline
from lmlab.scoring.score import score
from lmlab.settings import Settings
from tests import folders


@pytest.mark.parametrize("kind", ["gemma3", "llava", "internvl"])
def test_the_text_part_of_a_multimodal_model_is_loaded(kind, tmp_path):
    whole = folders.save_multimodal(tmp_path / "m", kind)
    found = inspect(tmp_path / "m", "m")
    lm = load(found, Settings(device="cpu")).lm("m")
    ids = torch.tensor([lm.vocabulary.ids("the little dog ran over the hill")])
    with torch.no_grad():
        expected = whole(input_ids=ids).logits
    torch.testing.assert_close(lm.model(input_ids=ids).logits, expected, atol=1e-5, rtol=1e-4)
    assert type(lm.model).__name__.endswith("CausalLM")
    assert not any("vision" in name for name, _ in lm.model.named_parameters())
    assert score(lm, "the dog").n_tokens
    assert any("text part alone" in note for note in lm.notes)
    names = {name for name, _ in lm.model.named_parameters()}
    assert {name for name, _ in outline(found).named_parameters()} == names


def test_a_text_part_that_cannot_be_loaded_is_named(tmp_path):
    folders.save_multimodal(tmp_path / "m", "qwen")
    with pytest.raises(ModelError, match=r"reads more than text.*qwen2_5_vl_text"):
        inspect(tmp_path / "m", "m")
