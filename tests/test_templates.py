"""F and G: parts of a prompt, strict files, hostile templates, what is read out of completions."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmlab.errors import InputError, ModelError
from lmlab.text.blocks import fields_of
from lmlab.text.chat import as_chats, messages
from lmlab.text.reading import Decoder
from lmlab.text.sets import shipped
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import shipped_source, shipped_templates
from tests import folders

PLAIN = "name: x\nquery: '{{ text }} ->'\ntarget: ' {{ y }}'\nanswer: y\n"
LECTURE = shipped_templates()["german-lecture"]
NAMES = sorted(name for name, one in shipped_templates().items() if one.data)


def template(**changes: object) -> PromptTemplate:
    """A small template of a stranger, with some fields changed."""
    fields = {"name": "x", "query": "{{ text }} ->", "target": " {{ y }}", "answer": "y"}
    return PromptTemplate.parse(json.dumps({**fields, **changes}))


def test_the_lectures_form_is_built_to_the_letter():
    examples = [
        {"english": "I am happy", "german": "ich bin fröhlich"},
        {"english": "the dog", "german": "der Hund"},
    ]
    prompt = LECTURE.encode(examples, {"english": "I am sad"})
    assert prompt.text == (
        '"I am happy": "ich bin fröhlich" | "the dog": "der Hund" | "I am sad": "'
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_character_comes_from_one_part(name):
    wording = shipped_templates()[name]
    rows = shipped(wording.data).pool[:4]
    prompt = wording.encode(rows[:3], rows[3])
    assert prompt.parts[0].start == 0
    assert prompt.parts[-1].end == len(prompt.text)
    assert all(a.end == b.start for a, b in zip(prompt.parts, prompt.parts[1:], strict=False))
    kinds = [part.kind for part in prompt.parts]
    assert kinds.count("example") == kinds.count("separator") == 3
    assert [part.index for part in prompt.parts if part.kind == "example"] == [0, 1, 2]
    assert kinds[-1] == "query"
    assert ("instruction" in kinds) == bool(wording.instruction)


@pytest.mark.parametrize("name", NAMES)
def test_the_target_goes_on_as_the_examples_do(name):
    wording = shipped_templates()[name]
    rows = shipped(wording.data).queries[:3]
    _, pieces = wording.pieces(rows)
    for piece in pieces:
        assert piece.example.startswith(piece.query + piece.target)


@pytest.mark.parametrize("name", NAMES)
def test_g_reads_the_true_answer_out_of_the_true_completion(name):
    wording = shipped_templates()[name]
    rows = shipped(wording.data).queries[:20]
    _, pieces = wording.pieces(rows)
    for row, piece in zip(rows, pieces, strict=True):
        cut = min([piece.target.find(s) for s in wording.stop if s in piece.target], default=None)
        for end in (f"{wording.stop[0]}and on", ""):
            answer = wording.decode(piece.target[:cut] + end, targets=piece.targets)
            assert answer.value == row[wording.answer], answer.reason


WORDS = st.text("abcdefgh ijKLÄ🙂-", min_size=1, max_size=30).map(str.strip).filter(bool)


@settings(deadline=None, max_examples=60)
@given(
    answer=WORDS, rest=st.text(max_size=20), how=st.sampled_from(["first-line", "until", "json"])
)
def test_g_after_f_gives_the_answer_back(answer, rest, how):
    ends = {"first-line": "\n", "until": '"', "json": '"}'}
    wording = PromptTemplate(
        name="x",
        query="{{ text }}",
        target="{{ y }}",
        answer="y",
        decode=Decoder(
            how=how, delimiter='"', before='{"a": "', field="a" if how == "json" else ""
        ),
        shipped=True,
    )
    prompt = wording.encode([], {"text": "q", "y": answer})
    read = wording.decode(f"{prompt.target}{ends[how]}{rest}", ended=False)
    assert read.value == answer


@pytest.mark.parametrize(
    ("decoder", "completion", "ended", "value"),
    [
        (Decoder(), " \n two words \nmore", True, "two words"),
        (Decoder(), "   ", True, None),
        (Decoder(how="until", delimiter="|"), " a b | c", False, "a b"),
        (Decoder(how="until", delimiter="|"), " a b", False, None),
        (Decoder(how="until", delimiter="|"), " a b", True, "a b"),
        (Decoder(how="regex", pattern=r"is (\w+)"), "it is red, is it", True, "red"),
        (Decoder(how="regex", pattern=r"\d+"), "no digits", True, None),
        (Decoder(how="regex", pattern=r"(x)|y"), "y", True, None),
        (Decoder(how="json"), ' {"a": [1]} and on', True, '{"a": [1]}'),
        (Decoder(how="json", field="a"), '{"b": 1}', True, None),
        (Decoder(how="json"), "NaN", True, None),
        (Decoder(how="json"), "[" * 100_000, True, None),
    ],
)
def test_ways_of_reading(decoder, completion, ended, value):
    answer = PromptTemplate(
        name="x", query="q", target="{{ y }}", answer="y", decode=decoder, shipped=True
    ).decode(completion, ended=ended)
    assert answer.value == value
    assert bool(answer.reason) == (value is None)


def test_the_characters_that_were_read_are_known():
    read = template().decode("  the answer \nrest")
    assert "  the answer \nrest"[read.start : read.end] == read.value == "the answer"


def test_a_label_that_begins_another_is_told_from_it():
    wording = template(labels=["good", "good luck", "bad"], decode={"how": "label"})
    assert wording.decode(" good luck!").value == "good luck"
    assert wording.decode(" Good, I think").value == "good"
    assert wording.decode(" goodness").value is None
    assert "none of" in wording.decode(" goodness").reason


def test_a_word_is_read_back_as_its_label():
    wording = template(labels={"positive": "yes", "negative": "no"})
    assert "pool" not in wording.encode([], {"text": "a"}).text
    prompt = wording.encode([{"text": "fine", "y": "positive"}], {"text": "b"})
    assert prompt.text == "fine -> yes\nb ->"
    assert prompt.targets == {"positive": " yes", "negative": " no"}
    assert wording.decode(" no\n").value == "negative"
    assert wording.decode(" maybe").value is None


def test_yaml_words_stay_words():
    wording = PromptTemplate.parse(PLAIN + "labels: [yes, no, on, 1.0]")
    assert list(wording.labels) == ["yes", "no", "on", "1.0"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no mapping"),
        ("- a", "no mapping"),
        ("name: [", "no valid YAML in line"),
        ("a: &x 1\nb: *x", "aliases"),
        ("name: a\nname: b", "twice"),
        (PLAIN + "exmaple: z", "unknown field, ‘exmaple’"),
        (PLAIN + "shipped: true\nlabels: [a]", "at least two"),
        ("name: x", "has no ‘query’"),
        (PLAIN.replace("name: x", "name: ../x"), "name"),
        (PLAIN + "labels: [a, ' ']", "empty"),
        (PLAIN + "labels: {a: w, b: w}", "same word"),
        (PLAIN + "stop: ['']", "empty"),
        (PLAIN + "decode: {how: magic}", "decode.how"),
        (PLAIN + "decode: {how: regex, pattern: '('}", "not valid"),
        (PLAIN + "decode: {how: label}", "needs labels"),
        (PLAIN + "options: y", "field of the answer"),
        (PLAIN + "options: z\nlabels: [a, b]", "labels for all rows"),
        (PLAIN + "query: 1", "twice"),
        (PLAIN.replace("{{ text }}", "{{ y }}"), "gives the answer away"),
        (PLAIN.replace("' {{ y }}'", "no"), "does not use the answer"),
        ("x" * 30_000, "at most 20,000"),
        ("[" * 15_000, "no valid YAML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_a_sentence(text, words):
    with pytest.raises(InputError, match=words):
        PromptTemplate.parse(text)


def test_nobody_can_call_his_own_template_shipped():
    assert not PromptTemplate.parse(PLAIN + "shipped: true").shipped


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{{ ''.__class__ }}", "may not use"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "may not use"),
        ("{{ cycler.__init__.__globals__ }}", "may not use"),
        ("{{ text | attr('__class__') }}", "may not use"),
        ("{{ nothing }}", "‘?nothing’? is undefined|does not have"),
        ("{{ text.nothing }}", "does not have"),
        ("{% for i in range(10**9) %}x{% endfor %}", "memory"),
        (
            "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}",
            "renders to",
        ),
        ("{{ text", "not valid"),
        ("{% include 'x' %}", "cannot be rendered"),
        ("{{ 1 / 0 }}", "cannot be rendered"),
    ],
)
def test_hostile_templates_do_no_harm(query, words):
    with pytest.raises(InputError, match=words):
        template(query=query).encode([], {"text": "a"})


@pytest.mark.parametrize("query", ["{% for i in range(99999) %}" * 2 + "{% endfor %}" * 2])
def test_a_bomb_is_ended(query):
    with pytest.raises(InputError, match="too long"):
        template(query=query).encode([], {"text": "a"})


FORMS = (
    "{{ bos_token }}{% for m in messages %}\n  {%- if loop.index > 2 %}{% continue %}{% endif %}\n"
    "[{{ m['role'] | upper }}] {{ m.content | trim | tojson }}\n{% endfor %}"
    "{% if add_generation_prompt %}\n<{{ eos_token }}>{% endif %}{{ tools }}{{ nothing }}",
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% generation %}{% set ns.n = ns.n + 1 %}"
    "{% set inner = 1 %}{{ ns.n }}: {{ m.content }}{% endgeneration %}{{ inner }}\n{% endfor %}",
    "{% if messages[0].role != 'user' %}{{ raise_exception('Users first.') }}{% endif %}"
    "{{ strftime_now('%Y') }}{{ messages | length }}{{ dict(a=1) }}",
)


def chat_vocabulary(form):
    tokenizer = folders.make_tokenizer("bytelevel-bos")
    tokenizer.chat_template = form
    return SimpleNamespace(tokenizer=tokenizer)


@pytest.mark.parametrize("form", FORMS)
def test_a_chat_is_what_transformers_makes_of_it(form):
    vocabulary = chat_vocabulary(form)
    _, pieces = template(query="“{{ text }}”").pieces([{"text": "a <b>"}, {"text": "ä", "y": "z"}])
    expected = vocabulary.tokenizer.apply_chat_template(
        messages("Say it.", pieces[1:], pieces[0]), tokenize=False, add_generation_prompt=True
    )
    assert [one.text for one in as_chats(vocabulary, "Say it.", pieces[1:], pieces[:1] * 3)] == [
        expected
    ] * 3


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3, "too long"),
        ("{% for i in range(99999) %}" * 2 + "x" * 99 + "{% endfor %}" * 2, "renders to|too long"),
        ("{{ messages.__class__.__mro__ }}", "may not use"),
        ("{{ raise_exception('Users first.') }}", "Users first"),
        ("{% for", "not valid"),
    ],
)
def test_a_models_chat_template_is_a_strangers(form, words):
    """In the server's process a loop within loops ran without end."""
    _, pieces = template().pieces([{"text": "a"}])
    with pytest.raises(ModelError, match=words):
        as_chats(chat_vocabulary(form), "", [], pieces[:1])


def test_a_pattern_that_never_ends_is_ended():
    wording = template(decode={"how": "regex", "pattern": "(a+)+$"})
    with pytest.raises(InputError, match="too long"):
        wording.decode("a" * 60 + "b")


def test_constants_are_not_worked_out_by_looking():
    assert fields_of("{{ 'x' * 10**9 }}{{ 9**9**9 }}{{ a }}") == ("a",)


def test_text_of_a_row_is_never_taken_for_a_template():
    row = {"text": "{{ 7*7 }}{% raw %}<script>", "y": "{{ y }}"}
    prompt = template().encode([row], row)
    assert prompt.text == "{{ 7*7 }}{% raw %}<script> -> {{ y }}\n{{ 7*7 }}{% raw %}<script> ->"


def test_a_missing_field_and_an_unknown_label_are_named():
    with pytest.raises(InputError, match="text"):
        template().encode([], {})
    with pytest.raises(InputError, match="Row 1: the label ‘c’ is none of a, b"):
        template(labels=["a", "b"]).encode([{"text": "t", "y": "c"}], {"text": "t"})


def test_fields_are_in_the_order_of_their_use():
    assert fields_of("{{ b }}{{ a }}{% for x in b %}{{ x }}{% endfor %}{{ range(3) }}") == (
        "b",
        "a",
    )
    assert shipped_templates()["sentiment-instruction"].columns == ("text", "label")


def test_the_source_of_a_shipped_template_can_be_read_again():
    for name in NAMES:
        again = PromptTemplate.parse(shipped_source(name), shipped=True)
        assert again == shipped_templates()[name]


def test_a_task_has_three_wordings():
    tasks = [t.task for t in shipped_templates().values()]
    assert sum(tasks.count(task) >= 3 for task in set(tasks)) >= 6
