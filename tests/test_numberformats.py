"""Every method in every number format: it trains, samples, saves, and is loaded again."""

import math
from dataclasses import replace

import pytest
import torch

from lmlab.generation.complete import generate
from lmlab.generation.sampling import GenerateConfig
from lmlab.runs.bases import material, private
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.scoring.score import score
from lmlab.settings import Settings
from lmlab.training import events
from lmlab.training.finetune import finetune
from lmlab.training.methods import prepare
from tests.tuningbits import DATA, TEMPLATE, losses, quick, run

FORMATS = ("float32", "bfloat16", "float16")
METHODS = {
    "full": quick(method="full"),
    "selective": quick(method="selective", parts=("norms", "head")),
    "lora": quick(),
    "dora": quick(dora=True),
    "prompt": quick(method="prompt", length=4, learning_rate=3e-2),
}
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
        ],
    ),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["auto", "float16"])
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("method", list(METHODS))
def test_a_run_goes_from_start_to_use(folder, tmp_path, method, dtype, precision, device):
    base = folder("llama", "bytelevel-bos")
    settings = Settings(device=device, dtype=dtype)
    config = replace(
        METHODS[method], precision=precision, steps=2, samples=1, answer_rows=2, probe_rows=1
    )
    weights = private(str(base), settings, config)
    tuned = prepare(weights.model, weights.vocabulary, "base", config)
    found = list(
        finetune(tuned, material(tuned, TEMPLATE, DATA, config), out=tmp_path, base_name=str(base))
    )
    done = found[-1]
    assert isinstance(done, events.Finished)
    assert done.reason == "done"
    assert math.isfinite(done.train_loss)
    assert math.isfinite(done.valid_loss)
    assert precision in ("auto", found[0].precision)
    assert any(isinstance(event, events.Sampled) for event in found)
    learned = str(tmp_path / done.path)
    ref = ModelRef(str(base), learned) if config.is_adapter else ModelRef(learned)
    with ModelStore(settings).borrow(ref) as lm:
        assert str(lm.model.dtype) == f"torch.{dtype}"
        assert math.isfinite(score(lm, "the little dog").logprob)
        short = GenerateConfig(max_new_tokens=2, temperature=0)
        assert list(generate(lm, "Say dog:", short))


def test_half_precision_learns_what_float32_does(folder):
    base = folder("llama", "bytelevel-bos")
    whole, *halves = (
        losses(run(base, quick(steps=4, precision=precision))[0]) for precision in FORMATS
    )
    for half in halves:
        assert half == pytest.approx(whole, rel=0.05)
        assert half != whole
