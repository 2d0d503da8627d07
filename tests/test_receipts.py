"""Receipts run by themselves and give lmlab's numbers; what a visitor types never becomes code."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmlab import api
from lmlab.errors import InputError
from lmlab.features.change import receipt_notes as of_change
from lmlab.features.change.changes import Drift, Knifed
from lmlab.features.change.drift import iter_drift
from lmlab.features.change.drift_service import Drifting
from lmlab.features.change.rank_knife import iter_knife
from lmlab.features.change.service import Changing, KnifeTexts
from lmlab.features.change.task_texts import Passage
from lmlab.features.change.weight_change import iter_changes
from lmlab.features.prompt import receipt as prompts
from lmlab.features.prompt.evaluation import evaluate
from lmlab.features.prompt.measure_events import Measured
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.studies import Cell, Design
from lmlab.features.scale import receipt_notes as of_scale
from lmlab.features.tuning import receipt as tuning
from lmlab.features.tuning.service import Tuning
from lmlab.generation.completions import Completion
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.measures import measures
from lmlab.models.forms import Form
from lmlab.receipts import texts
from lmlab.receipts.script import source_of
from lmlab.runs.bases import settled
from lmlab.runs.model_store import ModelStore
from lmlab.runs.store import RunFolder
from lmlab.scoring.scored import Scored
from lmlab.settings import Settings
from lmlab.text.protocols import Protocol, asked
from lmlab.text.sets import shipped
from lmlab.text.wordings import shipped_template
from lmlab.training.config import FinetuneConfig
from tests.folders import save_chat_model
from tests.outside import Numbers

HOSTILE = '"""\nimport os\'\'\'; os.abort() #{x}\\" \u202e\u2028\0 {{ 1 }} evilLogitsWarper( 🙂\r\n'
LONG = "The king was sad. He went to the wood. " * 30


@pytest.mark.parametrize(
    ("model", "text", "prefix"),
    [
        ("base", "The cat sat on the mat. 🙂", ""),
        ("base+qa", "ogs and <|answer|>dogs", "Once upon a time, two d"),
        ("base+qa-prompt", " Hund", "<|question|>What is the German word for dog?<|answer|> "),
    ],
)
def test_the_likelihood_of_a_text(numbers: Numbers, model: str, text: str, prefix: str) -> None:
    scored = api.score(model, text, prefix=prefix)
    found = numbers(texts.likelihood(scored))
    assert found[:2] == pytest.approx([scored.logprob, scored.perplexity], rel=1e-5, abs=1e-4)
    told = [one for one in measures(scored.tokens.columns) if one.receipt]
    means = [scored.measured(one.key).mean() for one in told]
    assert found[2:] == pytest.approx(means, rel=1e-4, abs=1e-4)


def test_the_likelihood_of_an_answer_in_the_chat_form(numbers: Numbers, tmp_path: Path) -> None:
    folder = str(save_chat_model(tmp_path / "model", stops=["<|endoftext|>"]))
    scored = api.score(folder, "a dog", prefix="What ran?", chat=True)
    assert scored.text == "a dog"
    assert scored.prefix.endswith("\n")
    found = numbers(texts.likelihood(scored))
    assert found[:2] == pytest.approx([scored.logprob, scored.perplexity], rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("mode", ["sliding", "disjoint"])
def test_a_text_that_is_longer_than_the_context(numbers: Numbers, mode) -> None:
    scored = api.score("base+qa-prompt", LONG * 2, windows=mode, top_k=0)
    assert scored.windowing is not None
    found = numbers(texts.likelihood(scored))
    assert found[0] / scored.n_tokens == pytest.approx(scored.logprob / scored.n_tokens, abs=1e-5)


def test_two_models_with_the_adapter_turned(numbers: Numbers) -> None:
    compared = api.compare("base", "base+qa", " dog is Hund.", prefix="The German word", alpha=0.5)
    found = numbers(texts.compared(compared))
    wanted = [compared.first.logprob, compared.second.logprob, *compared.mean_kl]
    assert found == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("prompt", "drawn"),
    [
        ("Once upon a time", GenerateConfig(max_new_tokens=12, temperature=0)),
        (
            "",
            GenerateConfig(
                max_new_tokens=16, temperature=0.8, top_k=50, top_p=0.95, min_p=0.01,
                repetition_penalty=1.2, seed=7,
            ),
        ),
    ],
)  # fmt: skip
def test_a_completion_is_drawn_again(numbers: Numbers, prompt: str, drawn: GenerateConfig) -> None:
    done = api.complete("base", prompt, drawn)[0]
    again = numbers(texts.completion(done, drawn))
    assert again[-1] == pytest.approx(done.logprob, abs=1e-4)


def test_a_completion_whose_tokens_were_chosen_has_its_likelihood(numbers: Numbers) -> None:
    done = api.complete("base+verse", "The king", GenerateConfig(max_new_tokens=8, seed=3))[0]
    script = texts.completion(done, None)
    assert "manual_seed" not in script
    assert numbers(script)[-1] == pytest.approx(done.logprob, abs=1e-4)


def test_a_design_and_one_of_its_prompts(numbers: Numbers) -> None:
    template, data = shipped_template("sentiment-sentence"), shipped("sentiment")
    protocol = Protocol(limit=12)
    found = evaluate(api.load("base"), template, data, protocol)
    rows = asked(data, protocol)
    made = [template.encode([], row) for row in rows]
    questions = [(p.text, p.targets, row["label"]) for p, row in zip(made, rows, strict=True)]
    again = numbers(prompts.evaluation(found, questions))
    assert again == pytest.approx([found.by_way["sum"], found.nll.mean], abs=1e-4)
    first = found.predictions[0]
    share = found.probabilities(first)
    one = numbers(prompts.choices("base", made[0].text, made[0].targets, share))
    assert one == pytest.approx(
        [value for pair in zip(first.logprobs, share, strict=True) for value in pair], abs=1e-4
    )


def test_a_study_s_prompts_are_those_that_were_asked(numbers: Numbers) -> None:
    lab = Lab.open(Settings(offline=True))
    template, data = shipped_template("german-arrow"), shipped("german")
    design = Design("", "base", template, data, Protocol(shots=2, draws=2, limit=4))
    found = [step for step in lab.service(Prompting).study([design]) if isinstance(step, Cell)][
        -1
    ].evaluation
    assert found is not None
    measured = Measured("shots", (("2 shots", found),), (), last=design)
    note = prompts.of_study(lab)(measured)
    assert note is not None
    assert numbers(note.write()) == pytest.approx([found.nll.mean], abs=1e-4)


@pytest.mark.parametrize("seconds", ["1e9", "1e-9"])
def test_the_receipt_of_a_run_that_is_on_the_disk(
    numbers: Numbers, tmp_path: Path, monkeypatch, seconds: str
) -> None:
    """On the very rows that were measured: all, or as many as there was time for."""
    monkeypatch.setenv("LMLAB_MEASURE_SECONDS", seconds)
    config = FinetuneConfig(
        method="selective", parts=("norms", "head"), steps=3, batch_size=4,
        learning_rate=1e-3, evaluate_every=0,
        sample_every=0, answer_rows=0, probe_rows=0, samples=0,
    )  # fmt: skip
    *_, end = api.finetune("tiny", "plural", "plural-arrow", config, out=tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    learned = Lab.open(Settings(offline=True)).service(Tuning).learned
    assert "model.norm.weight" in learned("tiny", config)
    runs = SimpleNamespace(
        run=lambda *_: folder.info(), spec=lambda *_: folder.spec, learned=learned
    )
    note = tuning.of_run(SimpleNamespace(service=lambda kind: runs))("me", "run")
    assert note is not None
    assert (folder.info().measured == 8) == (seconds == "1e-9") == ("some[" in note.write())
    found = numbers(note.write())
    assert found == pytest.approx([end.valid_before, end.valid_loss], abs=1e-3)


@pytest.mark.parametrize("method", ["full", "lora", "prompt"])
def test_a_run_is_made_again(numbers: Numbers, method) -> None:
    config = FinetuneConfig(
        method=method, steps=4, batch_size=4, targets="all-linear", dropout=0.1, length=4,
        evaluate_every=0, sample_every=0, answer_rows=0, probe_rows=0, samples=0,
    )  # fmt: skip
    template = shipped_template("plural-arrow")
    *_, end = api.finetune("base", "plural", template, config)
    losses = {"before": end.valid_before, "after": end.valid_loss}
    script = tuning.finetuned("base", "plural", template, config, losses)
    assert numbers(script) == pytest.approx(list(losses.values()), abs=1e-3)


@pytest.mark.parametrize("form", ["plain", "chat"])
def test_a_run_and_a_design_of_a_chat_model_are_made_again(
    numbers: Numbers, tmp_path: Path, form: Form
) -> None:
    """The tokenizer's end token is none of those that generation stops at."""
    folder = save_chat_model(tmp_path / "model", stops=["<|endoftext|>"])
    config = FinetuneConfig(
        method="full", steps=4, batch_size=4, form=form, warmup=0.5, evaluate_every=0,
        sample_every=0, answer_rows=0, probe_rows=0, samples=0,
    )  # fmt: skip
    template = shipped_template("plural-instruction")
    *_, end = api.finetune(str(folder), "plural", template, config)
    losses = {"before": end.valid_before, "after": end.valid_loss}
    script = tuning.finetuned(str(folder), "plural", template, config, losses)
    assert f"in the {form} form" in script
    assert numbers(script) == pytest.approx(list(losses.values()), abs=1e-3)
    chosen, data = shipped_template("sentiment-review"), shipped("sentiment")
    design = Design("", str(folder), chosen, data, Protocol(limit=4, form=form))
    lab = Lab.open(Settings(device="cpu", dtype="float32"))
    *_, cell = lab.service(Prompting).study([design])
    assert isinstance(cell, Cell)
    assert cell.evaluation is not None
    measured = Measured("shots", (("", cell.evaluation),), (), False, design)
    note = prompts.of_study(lab)(measured)
    assert note is not None
    assert f"in the {form} form" in note.write()
    wanted = [cell.evaluation.by_way["sum"], cell.evaluation.nll.mean]
    assert numbers(note.write()) == pytest.approx(wanted, abs=1e-3)


def test_parameters_are_counted_again(numbers: Numbers) -> None:
    model = api.load("tiny").model
    script = of_scale.parameters("tiny", sum(p.numel() for p in model.parameters()))
    assert "AutoTokenizer" not in script
    count = re.search(r"(\d+) parameters", script)
    assert numbers(script.replace(' parameters")', '.0")')) == [float(count[1])]
    script = of_scale.parameters("base+qa", 5, 208_128)
    assert numbers(script.replace(' in the adapter")', '.0")')) == [208_128.0]


TASK = [Passage("blew<|eos|>", "<|question|>What is the past tense of blow?<|answer|>")]
GENERAL = [
    Passage("The cat sat on the mat and slept."),
    Passage(" there was a dog.", "Once upon a time"),
]


@pytest.mark.parametrize("tuned", ["base+qa", "qa"])
def test_what_changed_and_how_far_it_moved(numbers: Numbers, tuned: str) -> None:
    requests = [[one.request for one in part] for part in (TASK, GENERAL)]
    with ModelStore(Settings(offline=True)).borrow_all(["base", tuned]) as (one, two):
        change = next(c for c in iter_changes(one, two) if c.kind == "self_attn.q_proj")
        (point,) = iter_knife(one, two, *requests, ranks=[2])
        (moved,) = iter_drift(one, two, {"general": requests[1]})
    found = numbers(of_change.matrix("base", tuned, change))
    assert found == pytest.approx([change.relative, *change.singular_values[:4]], rel=1e-3)
    assert numbers(of_change.knife("base", tuned, point, TASK, GENERAL)) == pytest.approx(
        [point.task, point.general], abs=1e-3
    )
    assert numbers(of_change.drift("base", tuned, moved, GENERAL)) == pytest.approx(
        [moved.kl, moved.kl_reverse], abs=1e-4
    )


def test_what_cannot_be_repeated_is_refused_in_words() -> None:
    template = shipped_template("choice-tuned")
    with pytest.raises(InputError, match="options"):
        tuning.finetuned("base", "choice", template, FinetuneConfig(), {})
    with pytest.raises(InputError, match="no completion"):
        texts.completion(Completion("base", "x", ()), None)
    with pytest.raises(InputError, match="characters"):
        texts.likelihood(replace(scored_by_hand("base"), text="x" * 500_000))
    with pytest.raises(InputError, match="scored"):
        texts.likelihood(Scored("base", "x", "", ()))


def scored_by_hand(model: str, text: str = "Hello", prefix: str = "") -> Scored:
    """A result with one token."""
    from lmlab.scoring.tokens import TokenScore

    token = TokenScore(5, text, 0, len(text), -1.5, 2, 0.5)
    return Scored(model, text, prefix, (token,), context=("<s>",))


def test_whatever_a_visitor_types_stays_a_text() -> None:
    template = shipped_template("qa-tuned").model_copy(update={"query": HOSTILE})
    done = replace(api.complete("base", "x", GenerateConfig(max_new_tokens=1))[0], prompt=HOSTILE)
    hostile = scored_by_hand("base", HOSTILE, HOSTILE)
    named = scored_by_hand(HOSTILE, "Hello")
    scripts = [
        texts.likelihood(hostile),
        texts.likelihood(named),
        texts.two_models(hostile, hostile),
        texts.completion(done, GenerateConfig()),
        texts.completion(done, None),
        prompts.choices("base", HOSTILE, {HOSTILE: HOSTILE}, [1.0]),
        tuning.finetuned(HOSTILE, HOSTILE, template, FinetuneConfig(start_text=HOSTILE,
                                                                   method="prompt"), {}),
    ]  # fmt: skip
    for script in scripts:
        tree = ast.parse(script)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"os", "evilLogitsWarper"}
        imported = [n.name for node in ast.walk(tree) for n in getattr(node, "names", ())
                    if isinstance(node, ast.Import | ast.ImportFrom)]  # fmt: skip
        assert "os" not in imported
        assert "evilLogitsWarper" not in imported
        assert "\u202e" not in script
    found = ast.parse(scripts[0])
    values = {node.value for node in ast.walk(found) if isinstance(node, ast.Constant)}
    assert HOSTILE in values


def test_a_run_s_id_which_is_its_owner_s_secret_is_in_no_receipt() -> None:
    secret = "0123456789abcdef"
    for name in (f"run:{secret}", f"base+run:{secret}", f"base+run:{secret}@4 (α = 0.25)"):
        script = texts.likelihood(scored_by_hand(name))
        assert secret not in script
        assert "downloaded" in script
    assert source_of("base+../../etc").adapter == "../../etc"
    assert source_of("gpt2@abc").revision == "abc"
    assert source_of("base-steps/step-15").model == "assets/models/base-steps/step-15"


@pytest.mark.parametrize("adapter", ["qa", "qa-prompt"])
def test_a_run_that_goes_on_from_an_adapter_is_made_again(
    numbers: Numbers, tmp_path: Path, adapter: str
) -> None:
    more = {"steps": 3, "batch_size": 4, "evaluate_every": 0, "sample_every": 0}
    more |= {"answer_rows": 0, "probe_rows": 0, "samples": 0, "dropout": 0.1}
    store, template = ModelStore(Settings(offline=True)), shipped_template("qa-tuned")
    config = settled(f"base+{adapter}", store, more).config
    *_, end = api.finetune(f"base+{adapter}", "qa", template, config, out=tmp_path / "run")
    spec = RunFolder(tmp_path / "run").spec
    losses = {"before": end.valid_before, "after": end.valid_loss}
    script = tuning.finetuned(
        spec.model, spec.data, spec.template, spec.config, losses, adapter=spec.adapter
    )
    assert f"assets/models/adapters/{adapter}" in script
    assert numbers(script) == pytest.approx(list(losses.values()), abs=1e-3)


def test_the_change_of_a_run_in_the_chat_form(numbers: Numbers, tmp_path: Path) -> None:
    """Its task is worded as it was learned, on the page's drift and rank knife, and in receipts."""
    config = FinetuneConfig(
        steps=4, batch_size=4, form="chat", targets="all-linear", learning_rate=1e-2,
        evaluate_every=0, sample_every=0, answer_rows=0, probe_rows=0, samples=0,
    )  # fmt: skip
    base, template = save_chat_model(tmp_path / "model"), shipped_template("plural-instruction")
    for _ in api.finetune(str(base), "plural", template, config, out=tmp_path / "run"):
        pass
    learned = RunFolder(tmp_path / "run").learned
    assert learned is not None
    tuned = f"{base}+{learned.rename(tmp_path / 'plural')}"
    lab = Lab.open(Settings(device="cpu", dtype="float32"))
    steps = lab.service(Drifting).measure(str(base), tuned, rows=3)
    moved = [step for step in steps if isinstance(step, Drift)]
    on = KnifeTexts(data="plural", rows=3, probes=2)
    *_, cut = lab.service(Changing).knife(str(base), tuned, on)
    assert isinstance(cut, Knifed)
    assert "in the chat form, of ‘plural’" in cut.task
    asked = next(one for one in moved if one.kind == "qa")
    note = of_change.of_drift(lab)((str(base), tuned, (asked,), 3, ""))
    assert note is not None
    assert "<|im_start|>assistant" in note.write()
    assert numbers(note.write()) == pytest.approx([asked.kl, asked.kl_reverse], abs=1e-4)
    note = of_change.of_knife(lab)(cut, on)
    assert note is not None
    point = next(one for one in cut.points if one.k)
    assert numbers(note.write()) == pytest.approx([point.task, point.general], abs=1e-3)


def test_the_drift_of_the_page_is_that_of_its_receipt(numbers: Numbers) -> None:
    lab = Lab.open(Settings(offline=True))
    steps = lab.service(Drifting).measure("base", "base+sentiment", rows=2)
    found = next(step for step in steps if isinstance(step, Drift))
    note = of_change.of_drift(lab)(("base", "base+sentiment", (found,), 2, ""))
    assert note is not None
    assert numbers(note.write()) == pytest.approx([found.kl, found.kl_reverse], abs=1e-4)
