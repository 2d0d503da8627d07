"""Models at hand as rows, and what they reach against their size: the suite's own figures."""

import json
import math
import re
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, BertConfig, LlamaConfig

from lmlab.assets import models_dir
from lmlab.errors import InputError, LabError, ModelError
from lmlab.features.scale import measured_page, plots
from lmlab.features.scale.counts import parameters
from lmlab.features.scale.measured import Measured, power_law, power_laws, same_tokens
from lmlab.features.scale.service import Scaling
from lmlab.lab import Lab
from lmlab.progress import Loading, Progress
from lmlab.settings import Settings
from lmlab.text.sets import general_texts
from tests import folders

GERMAN = "German"
CARD = re.compile(r"^\| [\w-]+ \|(?: [\d.]+ \|)+$", re.MULTILINE)


@pytest.fixture(scope="module")
def scaling() -> Scaling:
    return Lab.open(Settings(offline=True)).service(Scaling)


def on_card(model: str) -> float:
    """Bits per byte on German texts, as the model's card tells it."""
    card = (models_dir() / model / "README.md").read_text("utf-8")
    return float(CARD.findall(card)[0].split("|")[6])


def of(model: str, n: int, bits: float, kind: str = "stories", tokens: int = 1000) -> Measured:
    """A figure made up."""
    return Measured(model, kind, n, 10 * n, bits * 0.6931471805599453 * 4000, tokens, 4000, 3, "v")


def test_the_siblings_reach_what_their_cards_say(scaling):
    events = list(scaling.measure(["base", "small", "tiny"], [GERMAN], 80))
    found = [event for event in events if isinstance(event, Measured)]
    assert [one.model for one in found] == ["base", "small", "tiny"]
    for one in found:
        assert one.bits_per_byte == pytest.approx(on_card(one.model), abs=6e-4)
        assert one.n_texts == len(general_texts()[GERMAN])
        assert one.n_bytes == sum(len(text.encode()) for text in general_texts()[GERMAN])
    assert [one.parameters for one in found] == [4_959_488, 1_213_568, 298_416]
    assert [one.tokens_seen for one in found] == [27_000_000, 3_000_000, 2_000_000]
    assert same_tokens(found)
    assert any(isinstance(event, Loading) for event in events)
    assert any(isinstance(event, Progress) for event in events)


def test_what_was_measured_is_not_measured_again(scaling, monkeypatch):
    first = [e for e in scaling.measure(["tiny"], [GERMAN], 2) if isinstance(e, Measured)]
    monkeypatch.setattr(scaling.lab.store, "borrow", None)
    assert list(scaling.measure(["tiny"], [GERMAN], 2)) == first


def test_stopping_gives_the_model_back(scaling):
    steps = scaling.measure(["tiny"], ["stories"], 3)
    assert next(step for step in steps if isinstance(step, Progress))
    steps.close()
    with scaling.lab.store.borrow("tiny") as lm:
        assert lm.model.num_parameters() == 298_416


def test_another_vocabulary_is_told(scaling, folder):
    path = str(folder("llama", "bytelevel-bos"))
    found = [e for e in scaling.measure(["tiny", path], [GERMAN], 1) if isinstance(e, Measured)]
    assert not same_tokens(found)
    assert found[1].tokens_seen is None
    shown = measured_page.drawn(found, measured_page.BITS, measured_page.COMPUTE)["shown"]
    assert "perplexities do not compare" in shown
    assert "Not drawn, since D is not known" in shown


@pytest.mark.parametrize(
    ("models", "kinds", "count", "said"),
    [
        ([], [GERMAN], 1, "Choose from 1 to 12 models"),
        ([f"m{i}" for i in range(13)], [GERMAN], 1, "not 13"),
        (["tiny"], [], 1, "Choose a kind"),
        (["tiny"], ["<b>"], 1, "no texts of the kind"),
        (["tiny"], [GERMAN], 0, "From 1 to 80"),
        (["no-such-model"], [GERMAN], 1, "no-such-model"),
    ],
)
def test_what_cannot_be_measured_is_said(scaling, models, kinds, count, said):
    with pytest.raises(LabError, match=re.escape(said)):
        list(scaling.measure(models, kinds, count))


def test_an_embedded_model_s_row(scaling):
    row = scaling.row("base")
    assert (row.layers, row.width, row.heads, row.vocabulary) == (6, 256, 4, 4096)
    assert row.exact == parameters(row.shape) == 4_959_488
    assert row.opened.code == "yes"
    step = scaling.row("base-steps/step-106")
    assert step.tokens == 106 * 4096
    assert scaling.row("base+qa").exact == row.exact
    assert "left out" in scaling.row("base+qa").why


@pytest.mark.parametrize("kind", folders.ARCHITECTURES)
def test_a_row_counts_what_the_model_counts(scaling, folder, kind):
    path = folder(kind)
    row = scaling.row(str(path))
    assert row.exact == AutoModelForCausalLM.from_pretrained(path).num_parameters()
    assert (row.layers, row.width, row.vocabulary) == (2, 32, folders.VOCABULARY)
    assert row.opened is None
    if kind in ("gemma2", "opt"):  # more norms; a projection beside the embeddings
        with pytest.raises(InputError, match="not one that is counted by part"):
            scaling.shape(str(path))
    else:
        assert parameters(scaling.shape(str(path))) == row.exact


def test_a_row_needs_no_weights(scaling, tmp_path):
    LlamaConfig(hidden_size=4096, num_hidden_layers=32).save_pretrained(tmp_path)
    assert scaling.row(str(tmp_path)).exact == 6_738_415_616


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: LlamaConfig(num_hidden_layers=10**8).save_pretrained(path), "100,000,000"),
        (
            lambda path: BertConfig(architectures=["BertForMaskedLM"]).save_pretrained(path),
            "not a causal language model",
        ),
        (lambda path: (path / "config.json").write_text("{"), "read"),
        (lambda path: (path / "config.json").write_text(json.dumps({"a": 1})), "read"),
        (lambda path: None, "no config.json"),
    ],
)
def test_a_config_that_cannot_be_read_is_said(scaling, tmp_path, write, said):
    write(tmp_path)
    with pytest.raises(ModelError, match=said):
        scaling.row(str(tmp_path))


def test_of_the_hub_the_config_alone_is_fetched(folder, monkeypatch):
    asked = []
    path = folder("llama")

    def fetch(repo: str, file: str, revision: str | None = None, token: object = None) -> str:
        asked.append((repo, file, revision))
        return str(Path(path) / file)

    sizes = type("Told", (), {"size": 900})
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda url, token: sizes())
    scaling = Lab.open(Settings()).service(Scaling)
    assert scaling.row("someone/model@v1").layers == 2
    assert asked == [("someone/model", "config.json", "v1")]
    sizes.size = 10**9
    with pytest.raises(ModelError, match="too large"):
        scaling.row("someone/other")


@pytest.mark.parametrize("name", ["../../etc", "a/b/c", "someone/model@../x", "<b>", ""])
def test_no_odd_name_reaches_the_hub(name, monkeypatch):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", None)
    monkeypatch.setattr("lmlab.models.hub.fetch", None)
    with pytest.raises(LabError):
        Lab.open(Settings(allow_local=False)).service(Scaling).row(name)


def test_a_power_law_is_found_with_what_lies_apart_from_it():
    points = {str(n): (n, 7.0 * n**-0.076) for n in (1e5, 1e6, 1e7)}
    law = power_law(points)
    assert law is not None
    assert (law.exponent, law.factor) == pytest.approx((-0.076, 7.0))
    assert [apart for _, apart in law.residuals] == pytest.approx([0, 0, 0], abs=1e-12)
    points["1000000.0"] = (1e6, 1.06 * law.at(1e6))
    moved = power_law(points)
    assert moved is not None
    assert sum(apart for _, apart in moved.residuals) == pytest.approx(0, abs=1e-12)
    assert dict(moved.residuals)["1000000.0"] == pytest.approx(2 / 3 * math.log(1.06))
    assert power_law({"a": (1e5, 1.0)}) is None
    assert power_law({"a": (5, 1.0), "b": (5, 2.0)}) is None


def test_siblings_are_joined_and_fitted_and_others_stand_apart():
    # A quarter of the bits at a hundred times the size.
    found = [of("tiny", 10**5, 4.0), of("small", 10**6, 2.0), of("base", 10**7, 1.0)]
    siblings = ("base", "small", "tiny")
    line, fit = plots.by_size([*found, of("other", 10**6, 3.0)], siblings).data
    assert list(line.x) == [10**5, 10**6, 10**7, None, 10**6]
    assert list(line.y) == pytest.approx([4.0, 2.0, 1.0, None, 3.0])
    assert list(fit.x) == [10**5, 10**7]
    assert list(fit.y) == pytest.approx([4.0, 1.0])
    assert power_laws(found, siblings)["stories"].exponent == pytest.approx(-0.30103)


def test_words_of_strangers_are_escaped():
    found = [of("<img src=x>", 10**5, 2.0, "<script>")]
    drawn = measured_page.drawn(found, measured_page.BITS, measured_page.SIZE)
    for shown in (drawn["shown"], drawn["plot"].to_json()):
        assert not any(tag in shown for tag in ("<img", "<script"))
    line = measured_page.measured_csv([of("=1+1", 10, 1.0)]).splitlines()[1]
    assert line.startswith("'=1+1,stories,10,100,6000.0,1.0,")


def test_nothing_measured_is_an_empty_state():
    for nothing in ((), None):
        drawn = measured_page.drawn(nothing, measured_page.BITS, measured_page.SIZE)
        assert drawn["shown"] == measured_page.EMPTY
        assert not drawn["plot"].data


def test_perplexity_without_bound_is_left_out_of_the_chart():
    wild = Measured("wild", "stories", 10, 10, 1e9, 10, 10, 1, "v")
    drawn = measured_page.drawn([wild], measured_page.PERPLEXITY, measured_page.SIZE)
    assert not drawn["plot"].data
    assert "∞" in drawn["shown"]
