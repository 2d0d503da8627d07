"""Whatever transformers calls causal: its numbers are those of the plain forward pass of each
token's own prefix, or it is refused with a sentence. Run by ``make sweep``."""

import pytest
import torch

from lmlab.api import load
from lmlab.errors import ModelError
from lmlab.models.backends.transformers import decoding
from tests import architectures, folders
from tests.right import check_completions, check_scores


@pytest.mark.slow
@pytest.mark.parametrize("kind", architectures.names())
def test_every_causal_architecture_is_right_or_refused(kind, tmp_path, monkeypatch):
    try:
        architectures.make(kind).save_pretrained(tmp_path)
    except Exception as error:
        if kind in architectures.WELL_KNOWN:
            raise
        pytest.skip(f"cannot be made small: {str(error)[:80]}")
    folders.make_tokenizer("bytelevel-bos").save_pretrained(tmp_path)
    monkeypatch.setattr(decoding, "LEAST", 5)
    monkeypatch.setattr(decoding, "WORK", 0)
    if kind in architectures.LOOK_AHEAD:
        with pytest.raises(ModelError, match="is not a causal language model"):
            load(str(tmp_path))
        return
    if kind in architectures.DO_NOT_RUN:
        with pytest.raises(ModelError, match="does not run"):
            load(str(tmp_path))
        return
    lm = load(str(tmp_path))
    with torch.inference_mode():
        check_scores(lm)
        check_completions(lm)
