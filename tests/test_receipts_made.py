"""Receipts of sizes, corpora and models from nothing give lmlab's numbers again."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmlab.errors import InputError
from lmlab.features.data import receipt_notes as of_data
from lmlab.features.data.findings import Inspected, Quality
from lmlab.features.data.quality import beginning
from lmlab.features.data.service import Corpora
from lmlab.features.pretraining import receipt as pretraining
from lmlab.features.scale import receipt_notes as of_scale
from lmlab.features.scale.counts import Shape, parameters
from lmlab.features.scale.form import values_of
from lmlab.features.scale.measured import Measured
from lmlab.features.scale.published import PUBLISHED
from lmlab.features.scale.service import Scaling
from lmlab.lab import Lab
from lmlab.runs import worker
from lmlab.runs.store import RunFolder, new_pretraining
from lmlab.settings import Settings
from lmlab.training import corpus
from lmlab.training.pretrain_config import PretrainConfig
from tests.outside import Numbers
from tests.test_pretraining import OWNER, TEXT
from tests.test_receipts import HOSTILE

GPT3 = next(row.shape for row in PUBLISHED if row.name == "GPT-3")
SMALL = Shape(2, 48, 4, 300, 64, 192)
LLAMA = replace(
    SMALL, kv_heads=2, head_width=16, tied=False, positions="none", gated=True, norm="rms",
    attention_biases=False, output_bias=False, feed_forward_biases=True,
)  # fmt: skip
TINY = PretrainConfig(
    layers=1, width=16, heads=2, vocabulary=300, context=16, steps=4, batch_size=4,
    evaluate_every=0, sample_every=0, save_every=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.open(Settings(offline=True))


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (GPT3, "gpt2"),
        (replace(SMALL, tied=False), "gpt2"),
        (LLAMA, "llama"),
        (replace(LLAMA, attention_biases=True, output_bias=True, kv_heads=0), "llama"),
        (replace(SMALL, final_norm=False), ""),
        (replace(SMALL, extra_positions=2, feed_forward_biases=False, kv_heads=2), ""),
        (replace(LLAMA, attention_biases=True, final_norm=False, norm="layer"), ""),
        (replace(SMALL, layers=5000), ""),
    ],
)
def test_a_shape_is_counted_again(numbers: Numbers, shape: Shape, kind: str) -> None:
    note = of_scale.of_shape(*values_of(shape))
    assert note is not None
    assert note.title.startswith(f"{parameters(shape):,} parameters")
    script = note.write()
    assert f"{kind!r}" in script if kind else "transformers" not in script
    last = script.rindex(' parameters")')
    assert numbers(script[:last] + '.0")') == [float(parameters(shape))]


def test_a_form_that_cannot_be_has_no_receipt() -> None:
    assert of_scale.of_shape(*[None] * len(values_of(SMALL))) is None
    assert of_scale.of_measured(()) is None
    assert of_data.of_corpus(None) is None


def test_models_on_held_out_texts_are_measured_again(numbers: Numbers, lab: Lab) -> None:
    kinds = ["stories", "shuffled stories", "German"]
    steps = lab.service(Scaling).measure(["base+qa", "tiny"], kinds, 3)
    found = [step for step in steps if isinstance(step, Measured)]
    note = of_scale.of_measured(found)
    assert note is not None
    assert "receipt of base+qa" in note.title
    for mine, script in ((found[:3], note.write()), (found[3:], of_scale.measured(found[3:]))):
        wanted = [value for one in mine for value in (one.bits_per_byte, one.perplexity)]
        assert numbers(script) == pytest.approx(wanted, rel=1e-5)


def test_documents_are_ranked_again_by_the_filter_s_model(numbers: Numbers, lab: Lab) -> None:
    texts = [
        *lab.service(Corpora).sample("scraps")[:14],
        "qzx " * 600,
        "<s>The dog ran home.",
        HOSTILE,
    ]
    (looked,) = [
        one for one in lab.service(Corpora).inspect("tiny", "some", texts) if type(one) is Inspected
    ]
    note = of_data.of_corpus(looked)
    assert note is not None
    assert "receipt of 6" in note.title
    found = [one.quality for one in looked.documents if one.quality]
    assert max(one.n_tokens for one in found) > 512  # read in windows
    found.sort(key=lambda one: one.bits_per_byte)
    wanted = [v for one in (*found[:3], *found[-3:]) for v in (one.bits_per_byte, one.perplexity)]
    assert numbers(note.write()) == pytest.approx(wanted, rel=1e-5)


def test_an_unscored_corpus_says_so() -> None:
    note = of_data.of_corpus(Inspected("none", "tiny", 0.6, (), 1000))
    assert note is not None
    with pytest.raises(InputError, match="scored"):
        note.write()


def made(folder: RunFolder, settings: Settings):
    """The note of a run, once it is over."""
    *_, end = worker.train(folder, settings)
    runs = SimpleNamespace(
        run=lambda *_: folder.info(), documents=lambda *_: folder.data(folder.spec)
    )
    return end, pretraining.of_run(SimpleNamespace(service=lambda _: runs))(OWNER, "run")


@pytest.mark.parametrize("name", ["stories", "pasted"])
def test_a_model_from_nothing_is_made_again(numbers: Numbers, tmp_path: Path, name: str) -> None:
    shipped = name == "stories"
    data = corpus.shipped_corpus(name) if shipped else own()
    spec = new_pretraining("run", OWNER, data, TINY)
    end, note = made(RunFolder.create(tmp_path / "run", spec, data), Settings(device="cpu"))
    assert note is not None
    script = note.write()
    assert ("assets/corpora" in script) is shipped
    wanted = [end.valid_before, end.valid_loss]
    assert wanted[0] - wanted[1] > 0.01
    assert numbers(script) == pytest.approx(wanted, abs=1e-3)


def own():
    return corpus.corpus(TEXT, "pasted")


def test_a_run_that_was_stopped_has_no_receipt(tmp_path: Path) -> None:
    spec = new_pretraining("run", OWNER, own(), TINY)
    folder = RunFolder.create(tmp_path / "run", spec, own())
    events = worker.train(folder, Settings(device="cpu"))
    next(events)
    folder.set_state("stopped", step=1)
    runs = SimpleNamespace(run=lambda *_: folder.info())
    note = pretraining.of_run(SimpleNamespace(service=lambda _: runs))(OWNER, "run")
    assert note is not None
    with pytest.raises(InputError, match="all its steps"):
        note.write()


def test_whatever_a_visitor_pastes_stays_a_text() -> None:
    data = corpus.corpus(HOSTILE * 40, "x")
    scripts = [
        of_data.quality(HOSTILE, [(beginning(HOSTILE), Quality(1.0, 2.0, 3))]),
        of_scale.measured([Measured(HOSTILE, HOSTILE, 1, None, 1.0, 1, 1, 1, "")]),
        pretraining.pretrained(data, TINY, {}),
    ]
    for script in scripts:
        tree = ast.parse(script)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"os", "evilLogitsWarper"}
        assert "\u202e" not in script
        assert not re.search(r"^import os", script, re.M)


def test_a_text_that_is_too_long_for_a_script_is_refused_in_words() -> None:
    data = corpus.corpus("A dog ran. " * 50_000, "long")
    with pytest.raises(InputError, match="characters"):
        pretraining.pretrained(data, TINY, {})
