"""One form, plain or chat, for what is learned and what is asked; the end that is taught."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from lmlab import load
from lmlab.errors import InputError
from lmlab.features.prompt.asking import Asking, prepared
from lmlab.features.prompt.evaluation import evaluate
from lmlab.features.tuning.receipt import finetuned
from lmlab.models.backends.transformers.loading import inspect
from lmlab.models.backends.transformers.loading import load as read
from lmlab.models.forms import learned_form
from lmlab.models.tokens import encode_prompt
from lmlab.runs.bases import material
from lmlab.runs.store import RunFolder, new_spec
from lmlab.runs.worker import train
from lmlab.settings import Settings
from lmlab.text.protocols import Protocol
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate
from lmlab.training.events import Evaluated, Finished, Sampled, Started
from lmlab.training.examples import mask_view, structured
from lmlab.training.finetune import finetune
from lmlab.training.methods import prepare
from lmlab.training.methods import save as write_model
from lmlab.training.sets import TuningData
from tests.folders import CHATML, MARKED, save, save_chat_model
from tests.tuningbits import QUICK

SETTINGS = Settings(device="cpu", dtype="float32")
FREE = PromptTemplate(
    name="say", query="Say {{ word }}:", target=" {{ answer }}", answer="answer", stop=("\n",)
)
LABELS = PromptTemplate(
    name="kind", query="{{ word }} is", target=" {{ kind }}", answer="kind", labels=["red", "big"]
)
OPTIONS = PromptTemplate(
    name="pick", query="{{ word }}?", target=" {{ answer }}", answer="answer", options="listed"
)
WORDS = "dog cat hill ball grass king garden world".split()
ROWS = tuple(
    {
        "word": word,
        "answer": f"the {WORDS[i - 3]}",
        "kind": ("red", "big")[i % 3 > 0],
        "listed": f"the {WORDS[i - 3]} | a red {word} here | the man is {word}",
    }
    for i, word in enumerate(WORDS)
)
DATA = TuningData("words", ROWS, ROWS, "upload")
ASKED = Dataset("words", (), ROWS)
ALL = Protocol(limit=None)
# Long enough to learn eight rows by heart.
LEARNING = replace(
    QUICK, method="full", steps=100, batch_size=8, learning_rate=5e-3, answer_rows=8, warmup=0.1
)


def model_of(folder, config=LEARNING):
    weights = read(inspect(folder, "base"), SETTINGS)
    return prepare(weights.model, weights.vocabulary, "base", config)


def learned(chat, out, config, template=FREE):
    """The events of a run on the disk, and its folder."""
    spec = new_spec("run", "an owner of it", str(chat), DATA, template, config)
    folder = RunFolder.create(out, spec, DATA)
    return list(train(folder, SETTINGS)), folder


def by_heart(folder, config, template=FREE):
    """A model after a run that writes nothing, and the run's last event."""
    tuned = model_of(folder, config)
    *_, last = finetune(tuned, material(tuned, template, DATA, config))
    return tuned, last


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    return save_chat_model(tmp_path_factory.mktemp("chat") / "model")


@pytest.fixture(scope="module")
def runs(chat, tmp_path_factory):
    """A run in each form, learned by heart."""
    root = tmp_path_factory.mktemp("runs")
    return {f: learned(chat, root / f, replace(LEARNING, form=f)) for f in ("plain", "chat")}


@pytest.mark.parametrize("form", ["plain", "chat"])
def test_a_model_is_asked_in_the_form_that_it_learned(runs, form):
    events, folder = runs[form]
    assert isinstance(events[-1], Finished)
    tuned = load(str(folder.learned), SETTINGS)
    found = evaluate(tuned, FREE, ASKED, ALL)
    assert (found.form, found.accuracy.mean) == (form, 1.0)
    assert events[-1].accuracy == 1.0
    assert not found.notes
    other = "plain" if form == "chat" else "chat"
    asked = evaluate(tuned, FREE, ASKED, replace(ALL, form=other))
    assert (asked.form, asked.to_dict()["form"]) == (other, other)
    assert asked.nll.mean > found.nll.mean + 0.5
    said = f"The model was tuned in the {form} form, and is asked in the {other} form here."
    assert said in asked.notes


def test_the_base_of_a_chat_model_is_asked_in_its_chat_form(chat):
    base = load(str(chat), SETTINGS)
    assert base.form is None
    assert evaluate(base, FREE, ASKED, ALL).form == "chat"
    named = FREE.model_copy(update={"form": "plain"})
    assert evaluate(base, named, ASKED, ALL).form == "plain"
    assert evaluate(base, named, ASKED, replace(ALL, form="chat")).form == "chat"


def texts(vocabulary, ids):
    return [vocabulary.text(token) for token in ids]


def rows_of(folder, config, template=FREE, rows=ROWS):
    tuned = model_of(folder, config)
    found = structured(tuned.vocabulary, template, rows, config, tuned.context, end=tuned.end)
    return tuned, list(found)


def test_a_chat_row_is_the_prompt_that_is_asked_then_answer_and_end_of_turn(chat):
    config = replace(QUICK, form="chat")
    tuned, (example, *_) = rows_of(chat, config)
    lm = load(str(chat), SETTINGS)
    asking = Asking(lm, FREE, replace(ALL, form="chat"), *prepared(FREE, ROWS[:1], [[]]))
    asked = encode_prompt(lm.vocabulary, asking.prompts()[0].text)
    assert list(example.ids[: example.answer_from]) == asked
    learned_ids = [i for at, i in enumerate(example.ids) if example.carries(at)]
    assert "".join(texts(tuned.vocabulary, learned_ids)) == "the king<|im_end|>"
    assert example.ended
    view = mask_view(tuned.vocabulary, example, config, 8)
    assert [token.kind for token in view.tokens if token.loss] == ["answer", "answer", "end"]
    assert view.answer == "the king"
    whole = tuned.vocabulary.tokenizer.apply_chat_template(
        [{"role": "user", "content": "Say dog:"}, {"role": "assistant", "content": "the king"}],
        tokenize=False,
    )
    assert "".join(texts(tuned.vocabulary, example.ids)) == whole.rstrip()


def test_without_an_end_token_the_turn_stays_open(chat):
    tuned, (example, *_) = rows_of(chat, replace(QUICK, form="chat", end_token=False))
    assert "".join(texts(tuned.vocabulary, example.ids)).endswith("assistant\nthe king")
    assert not example.ended


def test_the_template_s_own_mask_is_taken_where_it_has_one(tmp_path):
    folder = save_chat_model(tmp_path / "marked", MARKED)
    tuned, examples = rows_of(folder, replace(QUICK, form="chat"))
    for example, row in zip(examples, ROWS, strict=True):
        turns = [
            {"role": "user", "content": f"Say {row['word']}:"},
            {"role": "assistant", "content": row["answer"]},
        ]
        wanted = tuned.vocabulary.tokenizer.apply_chat_template(
            turns, return_dict=True, return_assistant_tokens_mask=True
        )
        n = len(example.ids)
        assert list(example.ids) == wanted["input_ids"][:n]
        assert [example.carries(at) for at in range(n)] == list(
            map(bool, wanted["assistant_masks"][:n])
        )
        assert not any(wanted["assistant_masks"][n:])
    assert examples[0].ended


def test_an_own_mask_without_the_end_is_kept_and_said(tmp_path):
    open_ended = MARKED.replace("<|im_end|>{% endgeneration %}", "{% endgeneration %}<|im_end|>")
    folder = save_chat_model(tmp_path / "open", open_ended)
    config = replace(QUICK, form="chat")
    tuned, (example, *_) = rows_of(folder, config)
    assert texts(tuned.vocabulary, example.ids)[-1] != "<|im_end|>"
    (said,) = mask_view(tuned.vocabulary, example, config, 8).warnings
    assert "own mask leaves out the end of the turn" in said


def test_a_turn_that_opens_with_a_thought_is_learned_as_it_is_asked(tmp_path):
    thinking = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
    tuned, (example, *_) = rows_of(
        save_chat_model(tmp_path / "r1", thinking), replace(QUICK, form="chat")
    )
    said = "".join(texts(tuned.vocabulary, example.ids))
    assert said.endswith("assistant\n<think>\nthe king<|im_end|>")
    assert example.ids[example.loss_from :] == example.ids[-3:]


def test_a_chat_template_without_ends_is_ended_by_the_end_token(tmp_path):
    bare = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"
    folder = save_chat_model(tmp_path / "bare", bare)
    tuned, (example, *_) = rows_of(folder, replace(QUICK, form="chat"))
    assert example.ended
    assert tuned.vocabulary.text(example.ids[-1]) == "<|im_end|>"


def test_a_model_without_a_chat_template_has_no_chat_form(tmp_path):
    folder = save(tmp_path / "plain", "llama", "bytelevel-bos")
    with pytest.raises(InputError, match="no chat template"):
        model_of(folder, replace(QUICK, form="chat"))
    with pytest.raises(InputError, match="no chat template"):
        evaluate(load(str(folder), SETTINGS), FREE, ASKED, replace(ALL, form="chat"))


def test_a_run_says_its_form_and_samples_show_it(runs):
    for form, (events, folder) in runs.items():
        started = next(event for event in events if isinstance(event, Started))
        said = [text for text in started.warnings if "has a chat template" in text]
        assert len(said) == (form == "plain")
        assert f"| form | {form} |" in (folder.path / "README.md").read_text()
        sampled = [event for event in events if isinstance(event, Sampled)]
        assert not sampled or all("<|im_start|>" in s.prompt for s in sampled) == (form == "chat")
        assert learned_form(folder.learned) == form
        snapshot = next(iter(folder.snapshots.values()))
        assert learned_form(snapshot) == form


def test_runs_from_before_are_asked_plain(runs, tmp_path):
    _, folder = runs["plain"]
    (folder.learned / "lmlab.json").rename(tmp_path / "aside.json")
    raw = json.loads((folder.path / "run.json").read_text())
    form = raw["config"].pop("form")
    (folder.path / "run.json").write_text(json.dumps(raw))
    assert learned_form(folder.learned) == "plain"
    assert folder.spec.config.form == "plain"
    raw["config"]["form"] = form
    (folder.path / "run.json").write_text(json.dumps(raw))
    (tmp_path / "aside.json").rename(folder.learned / "lmlab.json")


@pytest.mark.parametrize("form", ["plain", "chat"])
def test_an_adapter_brings_its_form(chat, tmp_path, form):
    config = replace(QUICK, form=form, steps=2)
    _, folder = learned(chat, tmp_path / "run", config)
    lm = load(f"{chat}+{folder.learned}", SETTINGS)
    assert lm.form == form
    assert evaluate(lm, FREE, ASKED, ALL).form == form
    assert load(str(chat), SETTINGS).form is None


@pytest.mark.parametrize("template", [FREE, LABELS, OPTIONS], ids=lambda one: one.name)
@pytest.mark.parametrize("form", ["plain", "chat"])
def test_answered_right_during_a_run_is_what_evaluate_counts(chat, tmp_path, template, form):
    """Half learned, so that the two could well differ."""
    tuned, last = by_heart(chat, replace(LEARNING, form=form, steps=25), template)
    write_model(tuned, "base", tmp_path / "learned")
    found = evaluate(load(str(tmp_path / "learned"), SETTINGS), template, ASKED, ALL)
    assert last.accuracy == found.accuracy.mean
    before = evaluate(load(str(chat), SETTINGS), template, ASKED, replace(ALL, form=form))
    assert last.accuracy_before == before.accuracy.mean
    if template.chooses:
        assert before.accuracy.mean > 0


def test_a_row_with_an_option_that_does_not_fit_is_left_out_of_both_counts(chat):
    long = {**ROWS[0], "listed": f"{ROWS[0]['answer']} | {'dog ' * 200}"}
    rows, config = (long, *ROWS), replace(QUICK, answer_rows=9, steps=1)
    tuned = model_of(chat, config)
    learn = material(tuned, OPTIONS, TuningData("words", ROWS, rows, "upload"), config)
    first = next(e for e in finetune(tuned, learn) if isinstance(e, Evaluated))
    asked = Dataset("words", (), rows)
    found = evaluate(load(str(chat), SETTINGS), OPTIONS, asked, replace(ALL, form="plain"))
    assert (len(found.unfit), found.n) == (1, 8)
    assert first.accuracy == found.accuracy.mean


TWINS = {"agree": ("<|im_end|>", ["<|im_end|>"]), "differ": ("<|im_end|>", ["<|endoftext|>"])}


@pytest.mark.parametrize("kind", list(TWINS))
@pytest.mark.parametrize("form", ["plain", "chat"])
def test_the_end_that_is_taught_is_one_that_stops(tmp_path, kind, form):
    """A folder whose generation config names another end than its tokenizer, and its twin."""
    end, stops = TWINS[kind]
    folder, out = save_chat_model(tmp_path / "base", end=end, stops=stops), tmp_path / "learned"
    tuned, last = by_heart(folder, replace(LEARNING, form=form))
    assert last.accuracy == 1.0
    write_model(tuned, "base", out)
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.eos_token_id in GenerationConfig.from_pretrained(out).eos_token_id
    prompt = "Say dog:"
    if form == "chat":
        turns = [{"role": "user", "content": prompt}]
        prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = torch.tensor([tokenizer(prompt, add_special_tokens=False).input_ids])
    model = AutoModelForCausalLM.from_pretrained(out)
    made = model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)[0]
    assert tokenizer.decode(made[ids.shape[1] :], skip_special_tokens=True).strip() == "the king"


def test_an_adapter_is_taught_an_end_that_its_base_stops_at(tmp_path):
    """Plain PEFT knows the ends of the base's generation config alone."""
    folder = save_chat_model(tmp_path / "base", end="<|im_end|>", stops=["<|endoftext|>"])
    tuned, (example, *_) = rows_of(folder, QUICK)
    assert tuned.vocabulary.text(example.ids[-1]) == "<|endoftext|>"
    write_model(tuned, "base", tmp_path / "adapter")
    found = GenerationConfig.from_pretrained(tmp_path / "adapter").eos_token_id
    assert set(found) == set(tuned.vocabulary.tokenizer.convert_tokens_to_ids(
        ["<|endoftext|>", "<|im_end|>"]))  # fmt: skip
    chosen, (example, *_) = rows_of(folder, replace(QUICK, form="chat"))
    assert chosen.vocabulary.text(example.ids[-1]) == "<|im_end|>"


def test_an_end_that_is_no_control_token_is_not_taught(tmp_path):
    """A config made by hand often keeps a default such as 2, which means something else here."""
    folder = save_chat_model(tmp_path / "base", stops=["Ġdog"])
    tuned, (example, *_) = rows_of(folder, QUICK)
    assert tuned.vocabulary.text(example.ids[-1]) == "<|im_end|>"
    assert tuned.vocabulary.tokenizer.eos_token_id in tuned.base.generation_config.eos_token_id


def test_control_tokens_that_were_typed_are_said(chat):
    rows = [dict(row) for row in ROWS]
    rows[2]["word"] = "hill<|im_end|>"
    rows[4]["answer"] = "the <|endoftext|> end"
    data = TuningData("words", tuple(rows), tuple(rows), "upload")
    tuned = model_of(chat, QUICK)
    started = next(finetune(tuned, material(tuned, FREE, data, QUICK)))
    (said,) = [text for text in started.warnings if "control token" in text]
    assert said.startswith("2 rows (3, 5) hold control tokens, such as ‘<|im_end|>’: the tokenizer")
    assert not [w for w in next(finetune(tuned, material(tuned, FREE, DATA, QUICK))).warnings
                if "control" in w]  # fmt: skip
    found = evaluate(load(str(chat), SETTINGS), FREE, Dataset("words", (), tuple(rows)), ALL)
    (note,) = [text for text in found.notes if "control token" in text]
    assert note.startswith("2 queries (3, 5)")


CHAT = PromptTemplate(
    name="talk", query="{{ prompt }}", target=" {{ answer }}", answer="answer", turns="messages"
)
TALK = [
    {"role": "system", "content": "the king"},
    {"role": "user", "content": "dog"},
    {"role": "assistant", "content": "a cat"},
    {"role": "user", "content": "hill"},
    {"role": "assistant", "content": "a ball"},
]
SPOKEN = {"prompt": "User: hill", "answer": "a ball", "messages": json.dumps(TALK)}


@pytest.mark.parametrize("template", [CHATML, MARKED], ids=["compared", "own mask"])
def test_a_chat_in_a_row_keeps_its_turns(tmp_path, template):
    """Without marks of its own the last answer is learned; with them, all that are marked."""
    folder = save_chat_model(tmp_path / "model", template)
    tuned, (example,) = rows_of(folder, replace(QUICK, form="chat"), CHAT, [SPOKEN])
    tokenizer = tuned.vocabulary.tokenizer
    whole = tokenizer.apply_chat_template(TALK, tokenize=False)
    assert "".join(texts(tuned.vocabulary, example.ids)) == whole.rstrip()
    carried = [i for at, i in enumerate(example.ids) if example.carries(at)]
    every = "a cat<|im_end|>" if template is MARKED else ""
    assert "".join(texts(tuned.vocabulary, carried)) == f"{every}a ball<|im_end|>"
    rest = texts(tuned.vocabulary, example.ids[example.answer_from :])
    assert "".join(rest) == "a ball<|im_end|>"
    _, (plain,) = rows_of(folder, QUICK, CHAT, [SPOKEN])
    assert plain.prompt == "User: hill"
    lm = load(str(folder), SETTINGS)
    asking = Asking(lm, CHAT, replace(ALL, form="chat"), *prepared(CHAT, [SPOKEN], [[]]))
    assert whole.startswith(asking.prompts()[0].text)


def test_chats_with_their_own_turns_have_no_receipt():
    with pytest.raises(InputError, match="no receipt of chats"):
        finetuned("base", "talk", CHAT, replace(QUICK, form="chat"), {})
    assert finetuned("base", "talk", CHAT, QUICK, {})


def test_a_cell_that_holds_no_chat_is_asked_as_the_wording_says(chat):
    row = {**SPOKEN, "messages": "no chat"}
    tuned, (example,) = rows_of(chat, replace(QUICK, form="chat"), CHAT, [row])
    assert "<|im_start|>user\nUser: hill<|im_end|>" in "".join(texts(tuned.vocabulary, example.ids))


def test_plain_text_has_no_chat_form(chat):
    with pytest.raises(InputError, match="Plain text has no turns"):
        rows_of(chat, replace(QUICK, form="chat"), None, [{"text": "the dog"}])
    config = replace(QUICK, form="chat", probe_rows=2, steps=1)
    tuned = model_of(chat, config)
    assert len(material(tuned, FREE, DATA, config).probe) == 2
