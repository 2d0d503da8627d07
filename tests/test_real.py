"""SmolLM2-135M-Instruct, a model that one would choose by itself: by llama.cpp as it is, and by
transformers with its weights dequantised.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from lmlab.assets import models_dir
from lmlab.errors import ModelError
from lmlab.generation.complete import generate, sample
from lmlab.generation.config import GenerateConfig
from lmlab.models.chat import question
from lmlab.page.scenes.course import shipped
from lmlab.runs.model_store import ModelStore
from lmlab.scoring.score import score, score_many
from lmlab.settings import Settings
from tests import ggufs, real

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not real.is_here(), reason="SmolLM2 is not here: make real fetches it"),
]
needs_llama = pytest.mark.skipif(
    find_spec("llama_cpp") is None,
    reason="llama-cpp-python is not here: make real BUILD=--build compiles it",
)
needs_weights = pytest.mark.skipif(
    find_spec("gguf") is None, reason="the package gguf, which dequantises, is not installed"
)

TEXTS = (
    "The dog ran home to his mother. She was happy to see him, and they all sat down to eat "
    "dinner together before the sun went down behind the hills.",
    "The mitochondrion is an organelle found in the cells of most eukaryotes, such as animals, "
    "plants and fungi. Mitochondria use aerobic respiration to generate adenosine triphosphate.",
    "def add(a, b):\n    return a + b\n\nfor i in range(10):\n    print(add(i, 2023))\n",
    "Das ist ein kurzer Satz über Straßen 🙂 und 東京.",
)
GREEDY = GenerateConfig(max_new_tokens=16, temperature=0)


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore(Settings(offline=True, device="cpu"))


@pytest.fixture(scope="module")
def weights() -> Path:
    """A folder of the dequantised weights, made once."""
    if not (real.WEIGHTS / "model.safetensors").is_file():
        asked = {"gguf_file": real.FILE.name, "local_files_only": True}
        found = AutoModelForCausalLM.from_pretrained(real.FOLDER, **asked, dtype=torch.float32)
        told = found.config.to_dict()
        told.pop("quantization_config", None)
        plain = LlamaForCausalLM(LlamaConfig(**told))
        plain.load_state_dict(found.state_dict())
        AutoTokenizer.from_pretrained(real.FOLDER, **asked).save_pretrained(real.WEIGHTS)
        plain.save_pretrained(real.WEIGHTS)
    return real.WEIGHTS


@needs_weights
def test_transformers_scores_what_its_plain_forward_pass_says(store, weights):
    with store.borrow(str(weights)) as lm:
        ids = lm.vocabulary.ids(TEXTS[0])
        found = score(lm, TEXTS[0], bos="never")
        plain = lm.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = [float(plain[i - 1, token]) for i, token in enumerate(ids) if i]
        assert [t.logprob for t in found.tokens[1:]] == pytest.approx(expected, abs=1e-3)
        assert found.tokens[0].logprob is None


@needs_weights
def test_transformers_answers_a_question(store, weights):
    with store.borrow(str(weights)) as lm:
        asked = question(lm.vocabulary, "What is the capital of France?")
        shown = "".join(step.shown for step in generate(lm, asked, GREEDY))
    assert "Paris" in shown


@needs_llama
@needs_weights
def test_llama_cpp_scores_as_transformers_within_its_noise(store, weights):
    """Over the 4-bit weights of this model a token is off by 0.05 nats on average, by 0.35 at most
    in what was measured; over whole texts that is noise around 0."""
    with store.borrow_all([f"gguf:{real.FILE}", str(weights)]) as (mine, theirs):
        gaps, ranks, entropies = [], [], []
        for text in TEXTS:
            ids = [0, *mine.vocabulary.ids(text)]
            hidden = [(lm, lm.rows([ids[:-1]])[0]) for lm in (mine, theirs)]
            lm_rows = [lm.head.logits(rows).log_softmax(-1) for lm, rows in hidden]
            targets = torch.tensor(ids[1:])[:, None]
            one, other = (rows.gather(1, targets)[:, 0] for rows in lm_rows)
            gaps.append(one - other)
            ranks += [rows.argmax(-1) for rows in lm_rows]
            entropies.append(
                torch.special.entr(lm_rows[0].exp()).sum(-1)
                - torch.special.entr(lm_rows[1].exp()).sum(-1)
            )
    every = torch.cat(gaps)
    assert every.abs().mean() < 0.1
    assert every.abs().max() < 1
    assert abs(float(every.mean())) < 0.03
    assert torch.cat(entropies).abs().mean() < 0.1
    agree = torch.cat([a == b for a, b in zip(ranks[::2], ranks[1::2], strict=True)])
    assert agree.float().mean() > 0.9


@needs_llama
def test_the_tokenizer_of_the_file_cuts_as_its_model_was_trained(store):
    # SmolLM2's own tokenizer cuts digits one by one; what transformers makes of the file does too.
    with store.borrow(f"gguf:{real.FILE}") as lm:
        assert [lm.vocabulary.text(i) for i in lm.vocabulary.ids("In 2023, a b")] == [
            "In", " ", "2", "0", "2", "3", ",", " a", " b",
        ]  # fmt: skip
        for text in TEXTS:
            found = score(lm, text, prefix="So: ")
            assert "".join(found.text[t.start : t.end] for t in found.tokens) == found.text
            joined = b"".join(lm.vocabulary.data(i) for i in lm.vocabulary.ids(text))
            assert joined == text.encode()


@needs_llama
@needs_weights
def test_transformers_cuts_as_llama_cpp_does(store, weights):
    with store.borrow_all([f"gguf:{real.FILE}", str(weights)]) as (mine, theirs):
        for text in TEXTS[:3]:
            assert mine.vocabulary.ids(text) == theirs.vocabulary.ids(text)


@needs_llama
def test_what_is_read_together_is_what_is_read_alone(store):
    with store.borrow(f"gguf:{real.FILE}") as lm:
        assert lm.shares
        together = score_many(lm, TEXTS)
        for text, found in zip(TEXTS, together, strict=True):
            assert found.tokens == score(lm, text).tokens
        rows: list[list[int]] = [[], [], []]
        config = GenerateConfig(max_new_tokens=12, temperature=1.0, seed=3)
        for which, step in sample(lm, TEXTS[0], config, n=3):
            rows[which].append(step.id)
        for i, ids in enumerate(rows):
            alone = GenerateConfig(max_new_tokens=12, temperature=1.0, seed=3 + i)
            assert [step.id for step in generate(lm, TEXTS[0], alone)] == ids


@pytest.fixture
def serving(monkeypatch) -> Iterator[Callable[..., ModelStore]]:
    """``serving(file, tokenizer)``: a store that may ask llama-cpp-python's own server over a file
    as ``server:home``."""
    pytest.importorskip("llama_cpp.server.app", reason="llama-cpp-python[server] is not installed")
    running = ExitStack()

    def start(file: Path, tokenizer: Path) -> ModelStore:
        with socket.create_server(("127.0.0.1", 0)) as place:
            port = place.getsockname()[1]
        asked = ["--model", str(file), "--n_ctx", "256", "--logits_all", "true"]
        asked += ["--host", "127.0.0.1", "--port", str(port)]
        command = [sys.executable, "-m", "llama_cpp.server", *asked]
        told = {"kind": "llama-cpp-python", "url": f"http://127.0.0.1:{port}", "context": 256}
        told |= {"tokenizer": str(tokenizer), "at_once": 1}
        monkeypatch.setenv("LMLAB_SERVERS", json.dumps({"home": told}))
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        running.enter_context(server)
        running.callback(server.terminate)
        assert server.stdout is not None
        # It says so when it listens; what it says later must not stop it.
        assert any(b"Uvicorn running" in line for line in server.stdout)
        Thread(target=server.stdout.read, daemon=True).start()
        return ModelStore(Settings(offline=True))

    with running:
        yield start


@needs_llama
def test_llama_cpp_pythons_server_scores_as_the_file_does(store, serving, tmp_path):
    base = models_dir() / "tiny"
    small = ggufs.model(tmp_path / "small.gguf", base)
    with (
        serving(small, base).borrow("server:home") as served,
        store.borrow(f"gguf:{small}") as lm,
    ):
        assert served.gives == {"scores", "text"}
        text = " there was a little dog. The dog ran over the hill – and saw"
        told, known = (score(one, text, prefix="Once upon a time,") for one in (served, lm))
        for one, other in zip(told.tokens, known.tokens, strict=True):
            assert (one.id, one.rank) == (other.id, None)
            assert one.logprob == pytest.approx(other.logprob, abs=5e-3)
        assert [s.id for s in generate(served, "Once upon a time", GREEDY)][:8] == [
            s.id for s in generate(lm, "Once upon a time", GREEDY)
        ][:8]


@needs_llama
@needs_weights
def test_a_server_that_is_off_by_a_place_is_asked_for_completions_alone(store, weights, serving):
    """Of a model without a start token, llama-cpp-python 0.3.36 tells of each token of a prompt
    what it thinks of it in the place after it."""
    with serving(real.FILE, weights).borrow("server:home") as served:
        assert served.gives == {"text"}
        steps = list(generate(served, TEXTS[0], GREEDY))
        with pytest.raises(ModelError, match="gives no log-probabilities of a text"):
            score(served, TEXTS[0])
    with store.borrow(f"gguf:{real.FILE}") as lm:
        first = next(generate(lm, TEXTS[0], GREEDY))
    assert len(steps) == GREEDY.max_new_tokens
    assert steps[0].logprob == pytest.approx(first.logprob, abs=0.5)


@needs_llama
def test_it_answers_a_question_in_its_chat_form(store):
    with store.borrow(f"gguf:{real.FILE}") as lm:
        asked = question(lm.vocabulary, "Which animal says meow?")
        steps = list(generate(lm, asked, GenerateConfig(max_new_tokens=40, temperature=0)))
    assert "cat" in "".join(step.shown for step in steps)
    assert steps[-1].finish == "end"


@needs_weights
def test_the_scene_on_zero_shot_learners_has_stored_what_it_writes(store, weights):
    (scene,) = [one for one in shipped() if one.name == "zero-shot-learners"]
    kept = scene.stored.table[1:5]
    assert scene.inputs["prompt"] == kept[0][0]
    with store.borrow(str(weights)) as lm:
        for asked, wrote in kept:
            steps = generate(lm, question(lm.vocabulary, asked), GREEDY)
            assert "".join(step.shown for step in steps) == wrote
