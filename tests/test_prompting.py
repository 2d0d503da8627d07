"""What the page asks for: rows drawn and kept, the form a model gets, tuned models, charts."""

import pytest

from lmlab.errors import InputError
from lmlab.features.prompt.service import MOST_PAIRS, Asked, Prompting, Weighed
from lmlab.features.prompt.sheet import FOUND, Key, Sheet
from lmlab.features.prompt.study_plots import MEASURES, chart
from lmlab.lab import Lab
from lmlab.progress import Loading
from lmlab.scoring.pairs import pairs_of
from lmlab.settings import Settings
from lmlab.text.sets import read_table, shipped
from lmlab.text.wordings import shipped_templates
from tests.folders import make_tokenizer
from tests.test_evaluation import DATA, LABELLED

POOL = tuple({"text": f"row {i}", "label": "a" if i % 2 else "b"} for i in range(1, 21))
CHAT = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def key(shots: int = 3, seed: int = 0, data: str = "set") -> Key:
    return Key(data, (), shots, seed)


NONE = Sheet()


def drawn(sheet: Sheet = NONE, shots: int = 3, seed: int = 0, data: str = "set") -> Sheet:
    return sheet.draw(key(shots, seed, data), POOL, shots, seed)


@pytest.fixture(scope="module")
def lab():
    return Lab.open(Settings(offline=True, allow_local=True))


def test_more_shots_go_on_from_fewer_and_another_seed_draws_others():
    three = drawn()
    assert drawn(three, shots=5).examples[:3] == three.examples
    assert drawn(three, shots=1).examples == three.examples[:1]
    assert drawn(three, seed=1).examples == drawn(seed=1).examples != three.examples
    assert not any(three.own(row) for row in three.examples)


def test_rows_of_ones_own_stay_when_shots_or_seed_change():
    mine = {"text": "mine", "label": "a"}
    first, _, third = drawn().examples
    sheet = drawn().edited([third, mine, first])
    assert [sheet.own(row) for row in sheet.examples] == [False, True, False]
    fresh = drawn(seed=9).examples
    assert drawn(sheet, seed=9).examples == (fresh[0], mine, fresh[1])
    more = drawn(sheet, shots=5)
    assert list(more.examples[:3]) == [third, mine, first]
    assert len({row["text"] for row in more.examples}) == 5
    fewer = drawn(more, shots=2)
    assert list(fewer.examples) == [third, mine]
    assert list(drawn(fewer, shots=0).examples) == [mine]
    assert mine not in drawn(sheet, data="another").examples


def test_rows_are_chosen_and_given_back_by_number():
    assert POOL[19] not in drawn().examples
    sheet = drawn().taken(POOL, 20)
    assert sheet.examples[-1] == POOL[19]
    assert sheet.own(POOL[19])
    assert sheet.drawn.shots == 4
    assert sheet.taken(POOL, 20).examples == drawn().examples
    for number in (0, 21, -1):
        with pytest.raises(InputError, match="There is no row"):
            sheet.taken(POOL, number)


def test_rows_are_sought_by_words_and_by_number():
    sheet = Sheet(examples=(POOL[6],), sought=" ROW 7")
    (found,), count = sheet.search(POOL)
    assert found == (7, POOL[6], True)
    assert count == 1
    shown, count = Sheet().search(POOL * 5)
    assert (len(shown), count) == (FOUND, 100)
    assert Sheet(sought="12").search(POOL)[0] == [(12, POOL[11], False)]


def test_more_shots_than_rows_are_refused_with_a_sentence():
    with pytest.raises(InputError, match="21 shots are more than the 20 rows"):
        drawn(shots=21)


def test_the_preview_has_the_form_that_the_model_gets(lab, folder, tmp_path):
    import shutil

    plain, chat = folder("llama", "bytelevel-bos"), tmp_path / "chat"
    shutil.copytree(plain, chat)
    tokenizer = make_tokenizer("bytelevel-bos")
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(chat)
    row = DATA.queries[0]
    found = lab.service(Prompting).preview(str(plain), LABELLED, DATA.pool[:1], row)
    assert found.plain is None
    assert found.prompt == LABELLED.encode(DATA.pool[:1], row)
    asked = lab.service(Prompting).preview(str(chat), LABELLED, DATA.pool[:1], row)
    assert asked.plain == found.prompt
    assert asked.prompt.text == "<user>pool 0 is<assistant>a little dog<user>the man is<assistant>"
    assert (asked.context, asked.n_tokens > 0) == (64, True)
    events = list(lab.service(Prompting).run(str(chat), LABELLED, DATA.pool[:1], row))
    run = next(event for event in events if isinstance(event, Asked))
    assert run == asked


def test_options_are_weighed_one_by_one(lab, folder):
    row = {"question": "Who?", "options": "Ann | Bob | the cat"}
    template = shipped_templates()["choice-listed"]
    *_, weighed = lab.service(Prompting).run(
        str(folder("llama", "bytelevel-bos")), template, [], row
    )
    assert isinstance(weighed, Weighed)
    assert weighed.labels == ("Ann", "Bob", "the cat")
    assert sum(weighed.probabilities) == pytest.approx(1)
    assert weighed.calibrated == ()
    assert set(weighed.choices) == {"sum", "per character", "per byte", "minus unconditional"}


@pytest.mark.parametrize(
    ("name", "model"),
    [("qa", "base+qa"), ("sentiment", "base+sentiment"), ("similarity", "base+similarity"),
     ("german", "base+german"), ("choice", "base+qa"), ("topic", None), ("nope", None)],
)  # fmt: skip
def test_the_tuned_model_follows_the_task(lab, name, model):
    found = lab.service(Prompting).tuned(name)
    assert (found.tuned if found else None) == model
    if found:
        assert found.data == name
        assert set(found.columns) <= set(shipped(name).queries[0])


def test_the_form_of_a_tuned_wording_is_the_one_it_was_tuned_on(lab):
    from recipes.tuneconfig import TUNINGS

    tunings = {tuning.name: tuning for tuning in TUNINGS}
    for name in ("qa", "sentiment", "similarity", "german"):
        wording, row = lab.service(Prompting).tuned(name), shipped(name).queries[0]
        prompt = wording.encode([], row)
        assert (prompt.text, prompt.target) == tunings[f"adapters/{name}"].structure(row)


def test_pairs_come_from_any_two_columns():
    assert [(p.kind, p.good, p.bad) for p in pairs_of(read_table("a,kind,b\nx,,y\nz,k,w\n"))] == [
        ("pairs", "x", "y"), ("k", "z", "w"),
    ]  # fmt: skip
    assert pairs_of(read_table("bad,good\nx,y\n"))[0].good == "y"
    with pytest.raises(InputError, match="no two columns"):
        pairs_of(read_table("a\nx\n"))
    with pytest.raises(InputError, match="row 2: column ‘b’ is empty"):
        pairs_of(read_table("a,b\nx,y\nx, \n"))


def test_pairs_of_ones_own_are_judged_and_bounded(lab, folder):
    pairs = pairs_of(read_table("a,b\nthe little dog,little the dog\na cat,a hill\n"))
    path = str(folder("llama", "bytelevel-bos"))
    *_, result = lab.service(Prompting).judge_all(path, pairs)
    assert not isinstance(result, Loading)
    assert result.total == len(result.rows) == 2
    with pytest.raises(InputError, match="2,001 pairs"):
        list(lab.service(Prompting).judge_all(path, pairs[:1] * (MOST_PAIRS + 1)))


def test_both_charts_of_every_study_show_its_numbers(lab, folder):
    from lmlab.api import load
    from lmlab.features.prompt.evaluation import evaluate
    from lmlab.text.protocols import Protocol

    lm = load(str(folder("llama", "bytelevel-bos")))
    found = [evaluate(lm, LABELLED, DATA, Protocol(shots=k, draws=2)) for k in (0, 2)]
    results = [(f"{e.shots}, <b>", e) for e in found]
    means = {"accuracy": [e.accuracy.mean for e in found], "nll": [e.nll.mean for e in found]}
    for what in MEASURES:
        draws, line = chart("shots", results, what, under_way=True).data
        assert list(line.y) == means[what]
        assert line.marker.symbol == "circle-open"
        assert len(draws.y) == 3
        (bars,) = chart("few", results, what).data
        assert list(bars.y) == means[what]
        assert bars.x[0] == "0<br>&lt;b&gt;"
    assert sorted(chart("order", results, "nll").data[0].y) == sorted(found[1].nll_by_draw)
    assert len(chart("order", results, "accuracy").data) == 2
