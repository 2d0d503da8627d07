"""Whatever transformers calls causal: its numbers are those of the plain forward pass of each
token's own prefix, or it is refused with a sentence. Run by ``make sweep``, which ends in a table
of how each kind is run.
"""

import pytest
import torch

from lmlab.api import load
from lmlab.errors import ModelError
from lmlab.models.backends.transformers import decoding
from tests import architectures, folders
from tests.right import LONG, check_completions, check_scores

REFUSED = {
    **dict.fromkeys(architectures.LOOK_AHEAD, "what comes later in a text changes"),
    **dict.fromkeys(architectures.OTHER, r"\) is not a causal language model"),
    **dict.fromkeys(architectures.DO_NOT_RUN, "does not run"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", architectures.names())
def test_every_causal_architecture_is_right_or_refused(
    kind, tmp_path, monkeypatch, record_property
):
    try:
        architectures.make(kind).save_pretrained(tmp_path)
    except Exception as error:
        if kind in architectures.WELL_KNOWN:
            raise
        pytest.skip(f"cannot be made small: {' '.join(str(error).split())[:80]}")
    folders.make_tokenizer("bytelevel-bos").save_pretrained(tmp_path)
    monkeypatch.setattr(decoding, "LEAST", 5)
    monkeypatch.setattr(decoding, "WORK", 0)
    if kind in REFUSED:
        with pytest.raises(ModelError, match=REFUSED[kind]) as caught:
            load(str(tmp_path))
        said = caught.value.message.removeprefix(f"‘{tmp_path}’ ")
        record_property("run", f"refused: {said}")
        return
    lm = load(str(tmp_path))
    with torch.inference_mode():
        check_scores(lm, LONG)
        check_completions(lm, LONG)
    found = lm.ways.notes()
    way = "fast" if not found else "partly fast" if lm.ways.past else "plain"
    record_property("run", ": ".join([way, " ".join(found)]).removesuffix(": "))
