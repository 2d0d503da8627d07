"""What must hold on a CUDA device as on the processor; says so where there is none."""

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from lmlab.api import complete, load, score, score_many
from lmlab.generation.config import GenerateConfig
from lmlab.models.backends.transformers.loading import inspect
from lmlab.models.backends.transformers.loading import load as load_weights
from lmlab.runs.bases import material
from lmlab.settings import Settings
from lmlab.training.config import FinetuneConfig
from lmlab.training.events import Finished, Started
from lmlab.training.finetune import finetune
from lmlab.training.methods import prepare, save
from tests.folders import ARCHITECTURES
from tests.tuningbits import DATA, TEMPLATE, losses, quick

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
CPU = Settings(device="cpu", dtype="float32")
GPU = Settings(device="cuda", dtype="float32")
TEXT = "the little dog ran over the hill and saw a big red ball in the grass"
METHODS = {
    "full": quick(method="full", steps=40),
    "norms": quick(method="selective", parts=("norms",), steps=40),
    "lora": quick(steps=40),
    "dora": quick(dora=True, steps=40),
    "prompt": quick(method="prompt", length=5, learning_rate=3e-2, steps=40),
}


def run_on(device: str, folder, config: FinetuneConfig):
    """All events of a run there, and the model."""
    weights = load_weights(inspect(folder, "base"), Settings(device=device, dtype="float32"))
    model = prepare(weights.model, weights.vocabulary, "base", config)
    return list(finetune(model, material(model, TEMPLATE, DATA, config))), model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_score_is_the_same(folder, architecture):
    path = str(folder(architecture))
    here, there = score(load(path, CPU), TEXT), score(load(path, GPU), TEXT)
    for one, other in zip(here.tokens, there.tokens, strict=True):
        assert other.logprob == (one.logprob and pytest.approx(one.logprob, abs=1e-4))


def test_many_texts_are_scored_as_one_by_one(folder):
    lm = load(str(folder()), GPU)
    texts = [TEXT[: 10 + 5 * i] for i in range(12)]
    for text, found in zip(texts, score_many(lm, texts), strict=True):
        assert found.logprob == pytest.approx(score(lm, text).logprob, abs=1e-3)


def test_in_bfloat16_a_score_is_near(folder):
    path = str(folder())
    here = score(load(path, CPU), TEXT)
    there = score(load(path, Settings(device="cuda", dtype="bfloat16")), TEXT)
    assert there.log_perplexity == pytest.approx(here.log_perplexity, abs=0.02)


def test_greedy_completions_are_the_same(folder):
    path, config = str(folder()), GenerateConfig(max_new_tokens=12, temperature=0.0)
    here, there = (complete(load(path, one), TEXT, config)[0] for one in (CPU, GPU))
    assert there.text == here.text


@pytest.mark.parametrize("name", METHODS)
def test_a_run_in_float32_is_that_of_the_processor(folder, name):
    config = METHODS[name]
    here, _ = run_on("cpu", folder(), config)
    there, _ = run_on("cuda", folder(), quick(**{**config.to_dict(), "precision": "float32"}))
    assert losses(there) == pytest.approx(losses(here), rel=2e-3)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_computes_in_bfloat16_and_learns(folder, name, tmp_path):
    config = METHODS[name]
    events, model = run_on("cuda", folder(), config)
    assert next(one for one in events if isinstance(one, Started)).precision == "bfloat16"
    assert {p.dtype for p in model.trained.values()} == {torch.float32}
    found = losses(events)
    assert min(found[-5:]) < found[0]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "done"


def test_an_adapter_of_the_device_loads_on_the_processor(folder, tmp_path):
    _, model = run_on("cuda", folder(), METHODS["lora"])
    save(model, str(folder()), tmp_path / "adapter")
    base = AutoModelForCausalLM.from_pretrained(folder())
    there = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    ids = torch.tensor([[5, 9, 30, 7, 2, 80]])
    model.model.eval()
    with torch.no_grad():
        wanted = model.model(ids.cuda()).logits.float().cpu()
        found = there(ids).logits.float()
    torch.testing.assert_close(found, wanted, atol=2e-4, rtol=1e-3)
