"""Tables as people have them: each in the rows that its writer meant, or refused with the line."""

import csv
import io
import json
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lmlab.errors import InputError
from lmlab.text import uploads
from lmlab.text.delimited import separated
from lmlab.text.parquet import read_any, read_parquet
from lmlab.text.records import Chat, Flag, Number, Place, place_of, restored, stored
from lmlab.text.sets import read_table, split, undivided
from lmlab.text.templates import PromptTemplate
from lmlab.text.uploads import SMALL, read_upload
from lmlab.text.wordings import shipped_template
from lmlab.training.sets import split_table

ROWS = [{"text": "A lovely, warm film", "label": "positive"}, {"text": "Dull", "label": "negative"}]
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cc"]),
    max_size=12,
).map(str.strip)
WORDS = st.lists(st.sampled_from(["film", "it's", "dull,", "é", "-"]), min_size=1, max_size=3).map(
    lambda words: " ".join(words).rstrip(",")
)
PLAIN = "name: x\nquery: '{{ text }} ->'\ntarget: ' {{ label }}'\nanswer: label\n"
SENTIMENT = PromptTemplate.parse(PLAIN)


def rows_of(text: str | bytes, name: str = "t.csv") -> list[dict[str, str]]:
    return [dict(row) for row in read_table(text, name).rows]


def stray(separator: str) -> str:
    """Twenty rows; a quote opens in every second cell and closes in the next row."""
    lines = [f"text{separator}label"]
    for i in range(10):
        lines.append(f'"film {i} was fun{separator}positive')
        lines.append(f'film {i} was dull, she said"{separator}negative')
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("text;label\nA lovely, warm film;positive\nDull;negative\n", "t.csv"),
        ("text;label\nA lovely, warm film;positive\nDull;negative\n", "pasted"),
        ("sep=;\ntext;label\nA lovely, warm film;positive\nDull;negative\n", "t.csv"),
        ("text|label\nA lovely, warm film|positive\nDull|negative\n", "t.csv"),
        ("text\tlabel\nA lovely, warm film\tpositive\nDull\tnegative\n", "t.csv"),
        ('text,label\n"A lovely, warm film",positive\nDull,negative\n', "t.tsv"),
        (',text,label\n0,"A lovely, warm film",positive\n1,Dull,negative\n', "t.csv"),
        ('Unnamed: 0,text,label\n5,"A lovely, warm film",positive\n2,Dull,negative\n', "t.csv"),
        ('"text","label"\n"1","A lovely, warm film","positive"\n"2","Dull","negative"\n', "r.csv"),
        ('text,label,\n"A lovely, warm film",positive,\nDull,negative,\n', "t.csv"),
        ('text,label\n"A lovely, warm film",positive,\nDull,negative,\n', "t.csv"),
        ('text,label\n"A lovely, warm film",positive\nDull,negative\n,\n,\n', "t.csv"),
        ('text, label\n"A lovely, warm film", positive \nDull,  negative\n', "t.csv"),
        ("\ufefftext;label\r\nA lovely, warm film;positive\r\nDull;negative\r\n", "t.csv"),
        (json.dumps(ROWS), "t.json"),
        (json.dumps(ROWS, indent=2), "t.json"),
        (json.dumps(ROWS), "pasted"),
        (json.dumps({"data": ROWS}, indent=2), "t.json"),
        ("\ufeff" + "\r\n".join(map(json.dumps, ROWS)), "t.jsonl"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_table_of_any_make_gives_its_rows(text, name, encoding):
    assert rows_of(text.encode(encoding), name) == ROWS


def test_rows_that_a_stray_quote_swallows_are_found():
    found = rows_of(stray("\t"), "q.tsv")
    assert len(found) == 20
    assert found[1] == {"text": 'film 0 was dull, she said"', "label": "negative"}
    with pytest.raises(InputError, match="opens in line 2 closes in line 3"):
        read_table(stray(","), "q.csv")
    with pytest.raises(InputError, match="opens in line 2 closes in line 3"):
        read_table(stray(";"), "q.csv")
    with pytest.raises(InputError, match="Line 3 cannot be read"):
        read_table('text,label\na,b\n"Great" film,c\nd,e\n', "q.csv")
    assert rows_of('text\tlabel\n"Great" film\tc\nd\te\n', "q.tsv")[0]["text"] == '"Great" film'


def test_a_sentence_over_two_lines_is_one_cell():
    text = 'text,label\n"Good film, really\nI liked it",positive\nDull,negative\n'
    assert rows_of(text)[0] == {"text": "Good film, really\nI liked it", "label": "positive"}


def test_spaces_between_quotes_are_meant():
    assert rows_of('text,label\n"  x = 1",b \n')[0] == {"text": "  x = 1", "label": "b"}


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("text,label\n\na,b\nc\n", "t.csv", "Line 4 has 1 columns instead of 2"),
        ("text,label\na,b,c\n", "t.csv", "Line 2 has 3 columns"),
        ('[{"a": 1},\n {"a": 2},\n {"a"}]', "t.json", r"Line 3 \(row 3\) is no valid JSON"),
        ('[{"a": 1}\n {"a": 2}]', "t.json", "Line 2 is no valid JSON. A comma"),
        ('[{"a": 1}] x', "t.json", "Something follows"),
        ('[1, {"a": 2}]', "t.json", "Line 1 is no JSON object"),
        ("[]", "t.json", "no rows"),
        (b"\xff\xfea\x00\x00\xd8", "t.csv", "not UTF-16"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "t.jsonl", "Line 1: the chat has no"),
        ('{"messages": [{"role": "user", "content": null}]}', "t.jsonl", "holds no text"),
    ],
)
def test_what_no_rows_can_be_made_of_is_said_with_its_line(text, name, words):
    with pytest.raises(InputError, match=words):
        read_table(text, name)


def test_bad_rows_are_skipped_on_request_and_counted():
    lines = ['{"text": "a", "label": "positive"}'] * 3
    lines[1] = '{"text": "a", "label":'
    table = read_table("\n".join(lines), "t.jsonl", skip=True)
    assert [place_of(row) for row in table.rows] == [Place(1, 1), Place(3, 3)]
    assert table.notes == ("t.jsonl: 1 row was skipped: Line 2 is no valid JSON.",)
    table = read_table("text,label\na,b\nc\n,d\n", "t.csv", skip=True)
    left = table.usable(SENTIMENT.reads, skip=True)
    assert [dict(row) for row in left.rows] == [{"text": "a", "label": "b"}]
    assert "2 rows were skipped: Line 3 has 1 columns" in left.notes[0]
    assert "row 3 (line 4): column ‘text’ is empty" in left.notes[0]
    with pytest.raises(InputError, match=r"no rows.*Line 2 has 1 columns"):
        read_table("text,label\nc\n", "t.csv", skip=True)


def test_errors_name_the_row_of_the_file_not_of_the_shuffle():
    lines = [f"text {i},positive" for i in range(30)]
    lines[17] = "text 17,great"
    table = read_table("text,label\n\n" + "\n".join(lines), "t.csv")
    labels = PromptTemplate.parse(PLAIN + "labels: [positive, negative]")
    for reads in (SENTIMENT.reads, labels.reads):
        found = split_table(table, reads=SENTIMENT.reads, seed=5)
        kept = [place_of(row) for row in (*found.train, *found.valid)]
        assert sorted(kept) == [Place(i, i + 2) for i in range(1, 31)]
        if reads.check and reads is not SENTIMENT.reads:
            with pytest.raises(InputError, match=r"Row 18 \(line 20\): the label ‘great’"):
                split_table(table, reads=labels.reads, seed=5)
            with pytest.raises(InputError, match=r"Row 18 \(line 20\): the label ‘great’"):
                labels.pieces(split(table, seed=3).queries + split(table, seed=3).pool)


def test_a_chat_is_a_prompt_and_its_last_answer():
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Say one."},
        {"role": "assistant", "content": "One."},
        {"role": "user", "content": "And two?"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Thanks."},
    ]
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    shared = [{"from": names[t["role"]], "value": t["content"]} for t in turns]
    wanted = "System: Be brief.\nUser: Say one.\nAssistant: One.\nUser: And two?"
    wording = shipped_template("chat-turns")
    for row in ({"id": 1, "messages": turns}, {"conversations": shared}):
        table = read_table(json.dumps(row), "t.jsonl")
        found = table.rows[0]
        assert table.chats
        assert (found["prompt"], found["answer"]) == (wanted, "Two.")
        chat = next(cell for cell in found.values() if isinstance(cell, Chat))
        assert json.loads(chat) == turns
        prompt = wording.encode([], found)
        assert (prompt.text, prompt.target) == (f"{wanted}\nAssistant:", " Two.")
    walked = template("{% for m in messages %}{{ m.role }};{% endfor %}")
    assert walked.encode([], read_table(json.dumps({"messages": turns}), "t.jsonl").rows[0]).text
    cells = io.StringIO()
    csv.writer(cells).writerows([["id", "messages"], ["1", json.dumps(turns)]])
    assert rows_of(cells.getvalue())[0]["prompt"] == wanted


def test_parquet_holds_chats_and_lists_as_json_does(tmp_path):
    import pyarrow as pa
    from pyarrow.parquet import write_table

    turns = [{"role": "user", "content": "Say."}, {"role": "assistant", "content": "Said."}]
    columns = {"messages": [turns] * 3, "of": [["a", "b"]] * 3, "n": [1, 2, 3]}
    write_table(pa.table({**columns, "__index_level_0__": [0, 1, 2]}), tmp_path / "t.parquet")
    table = read_parquet(tmp_path / "t.parquet", "t.parquet")
    row = table.rows[1]
    assert table.columns == ("messages", "of", "n", "prompt", "answer")
    assert (row["prompt"], row["answer"], row["of"], row["n"]) == (
        "User: Say.",
        "Said.",
        "a | b",
        "2",
    )
    assert place_of(row) == Place(2)
    long = [{"role": "user", "content": "x" * 30_000}, turns[1]]
    write_table(pa.table({"messages": [long] * 2000}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="30,000 characters"):
        read_parquet(tmp_path / "t.parquet", "t.parquet")


def template(query: str) -> PromptTemplate:
    parts = {"name": "x", "query": query, "target": " {{ y }}", "answer": "y"}
    return PromptTemplate.parse(json.dumps(parts))


@pytest.mark.parametrize(
    ("query", "cell", "said"),
    [
        ("{% if n > 2 %}more{% else %}less{% endif %} {{ n }}", "4.50", "more 4.50"),
        ("{% if n == 4 and n == '4' %}{{ n + 1 }} {{ 2 * n }}{% endif %}", "4", "5 8"),
        ("{% if n %}some{% else %}none{% endif %}", "0", "none"),
        ("{{ [n, 3]|max }} {{ n|int }} {{ '%.1f' % n }} {{ n|round }}", "4.56", "4.56 4 4.6 5.0"),
        ("{{ n[:2] }} {{ n|length }} {{ n ~ 'x' }}", "1984", "19 4 1984x"),
        ("{% for i in range(n) %}.{% endfor %}", "3", "..."),
        ("{% if f %}yes{% else %}no{% endif %} {{ f }}", "false", "no false"),
    ],
)
def test_numbers_and_truth_values_are_such_in_templates(query, cell, said):
    """In JSON, in CSV, and after a run has kept them."""
    wording = template(query)
    name = "f" if "{{ f }}" in query else "n"
    for table in (
        read_table(f'{{"{name}": {cell}, "y": "z"}}', "t.jsonl"),
        read_table(f"{name},y\n{cell},z\n", "t.csv"),
    ):
        row = table.rows[0]
        assert row[name] == cell
        assert wording.encode([], row).text == said
        again = restored(json.loads(json.dumps(stored(row))), place_of(row))
        assert wording.encode([], again).text == said


def test_a_text_that_looks_like_a_number_is_there():
    wording = template("{% if n %}{{ n }}{% if n > 1 %}!{% endif %}{% endif %}")
    assert wording.encode([], {"n": "0"}).text == "0"
    assert wording.encode([], {"n": "7"}).text == "7!"


def test_columns_that_a_wording_asks_for_may_be_empty_or_missing():
    wording = shipped_template("instruction-alpaca")
    assert wording.columns == ("instruction", "input", "output")
    assert wording.needed == ("instruction", "output")
    rows = '[{"instruction": "a", "input": "", "output": "b"}, {"instruction": "c", "output": "d"}]'
    table = read_table(rows, "t.json")
    asked = undivided(table.usable(wording.reads))
    asked.check(wording.needed)
    _, pieces = wording.pieces(asked.queries)
    assert [piece.query for piece in pieces] == [
        f"### Instruction:\n{one}\n\n### Response:" for one in "ac"
    ]
    fields = table.columns_for(wording.columns, (), wording.reads.optional)
    assert fields == {"instruction": "instruction", "input": "input", "output": "output"}
    with pytest.raises(InputError, match="row 1: column ‘instruction’ is empty"):
        read_table('{"instruction": " ", "output": "b"}', "t.jsonl").usable(wording.reads)


def test_more_than_fifty_labels():
    wording = PromptTemplate.parse(PLAIN + f"labels: [{', '.join(f'l{i}' for i in range(300))}]")
    rows = [{"text": f"t{i}", "label": f"l{i % 300}"} for i in range(400)]
    _, pieces = wording.pieces(rows)
    assert len(pieces[7].targets) == 300
    assert pieces[7].targets["l299"] == " l299"
    with pytest.raises(InputError, match="l19, …"):
        wording.check([{"text": "t", "label": "no"}])


def twins(n: int) -> str:
    rows = [{"id": i, "text": f"review {i % n}", "label": "good"} for i in range(2 * n)]
    return "\n".join(map(json.dumps, rows))


def test_twins_in_what_is_read_stand_on_one_side_and_are_told():
    table = read_table(twins(40), "t.jsonl")
    found = split(table, reads=SENTIMENT.reads)
    seen = {row["text"] for row in found.pool}
    assert not seen & {row["text"] for row in found.queries}
    assert (len(found.pool), len(found.queries)) == (12, 28)
    assert found.notes == (
        "40 of 80 rows are twins of others in what is read (text, label) and were dropped: "
        "40 are kept.",
    )
    tuned = split_table(table, reads=SENTIMENT.reads)
    assert not {row["text"] for row in tuned.train} & {row["text"] for row in tuned.valid}
    assert (len(tuned.train), len(tuned.valid), tuned.notes) == (36, 4, found.notes)
    whole = undivided(table, None, SENTIMENT.reads)
    assert (len(whole.queries), whole.pool, whole.notes) == (80, (), ())


def test_rows_that_differ_in_the_answer_alone_stay_on_one_side():
    lines = "".join(f"film {i % 20},{'good' if i < 20 else 'bad'}\n" for i in range(40))
    table = read_table("text,label\n" + lines, "t.csv")
    for seed in range(5):
        found = split(table, seed, reads=SENTIMENT.reads)
        assert len(found.pool) + len(found.queries) == 40
        assert not {row["text"] for row in found.pool} & {row["text"] for row in found.queries}


def test_a_second_file_is_examples_or_held_out_rows():
    table, other = read_table(twins(10), "t.jsonl"), read_table(twins(15), "other.jsonl")
    found = undivided(table, other, SENTIMENT.reads)
    assert len(found.queries) == 20
    assert {row["text"] for row in found.pool} == {f"review {i}" for i in range(10, 15)}
    assert "20 of 30 rows of other.jsonl stand among the queries" in found.notes[0]
    tuned = split_table(other, reads=SENTIMENT.reads, second=table)
    assert tuned.valid == table.rows
    assert sorted(row["text"] for row in tuned.train) == [f"review {i}" for i in range(10, 15)]
    assert "20 of 30 rows stand in t.jsonl as well" in tuned.notes[0]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, TEXTS, TEXTS).filter(any), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_is_written_as_a_table_is_read_as_it_was(rows, mark, end, quoting, encoding):
    written = io.StringIO()
    writer = csv.writer(written, delimiter=mark, lineterminator=end, quoting=quoting)
    writer.writerows([("one", "two", "three"), *rows])
    name = "t.tsv" if mark == "\t" else "t.csv"
    found = read_table(written.getvalue().encode(encoding), name)
    assert [tuple(row.values()) for row in found.rows] == rows
    assert [place_of(row) for row in found.rows] == [
        Place(i, i + 1) for i in range(1, len(rows) + 1)
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(WORDS, st.sampled_from(["a", "b"])), min_size=2, max_size=8),
    st.tuples(st.integers(0, 7), st.integers(0, 7)).map(sorted),
    st.sampled_from(",;\t"),
)
def test_stray_quotes_never_make_other_rows_in_silence(rows, places, mark):
    """A quote before one text and after a later one: all rows, or an error that names a line."""
    opens, closes = min(places[0], len(rows) - 2), min(places[1], len(rows) - 1)
    assume(opens < closes)
    texts = [text for text, _ in rows]
    texts[opens] = '"' + texts[opens]
    texts[closes] += '"'
    body = "\n".join(f"{text}{mark}{label}" for text, (_, label) in zip(texts, rows, strict=True))
    try:
        found = separated(f"text{mark}label\n{body}\n", "\t" if mark == "\t" else ",")
    except InputError as error:
        names_a_line = "line" in error.message.lower()
        assert names_a_line
        return
    assert [row["label"] for row in found] == [label for _, label in rows]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["x", "y"])), min_size=2, max_size=30),
    st.integers(0, 9),
)
def test_no_split_lets_twins_through(pairs, seed):
    lines = [json.dumps({"id": i, "text": f"t {t}", "label": y}) for i, (t, y) in enumerate(pairs)]
    table = read_table("\n".join(lines), "t.jsonl")
    one, two = split(table, seed, reads=SENTIMENT.reads), split_table(
        table, reads=SENTIMENT.reads, seed=seed, held_out=0.4
    )  # fmt: skip
    for part, rest in ((one.pool, one.queries), (two.train, two.valid)):
        assert not {row["text"] for row in part} & {row["text"] for row in rest}
        kept = {(row["text"], row["label"]) for row in (*part, *rest)}
        assert kept == {(f"t {t}", y) for t, y in pairs}
        assert len(part) + len(rest) == len(kept)


NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
CELLS = TEXTS | st.booleans() | st.none() | NUMBERS


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), CELLS, min_size=1), min_size=1, max_size=5))
def test_json_cells_are_shown_as_written_and_kept_by_a_run(rows):
    for text in (json.dumps(rows), "\n".join(map(json.dumps, rows)), json.dumps(rows, indent=1)):
        found = read_table(text, "t.json").rows
        for row, made in zip(rows, found, strict=True):
            for name, value in row.items():
                shown = (
                    value
                    if isinstance(value, str)
                    else json.dumps(value)
                    if value is not None
                    else ""
                )
                assert made[name] == shown
                kind = (
                    Flag
                    if isinstance(value, bool)
                    else Number
                    if isinstance(value, int | float)
                    else str
                )
                assert type(made[name]) is kind
            again = restored(json.loads(json.dumps(stored(made))))
            assert {n: (type(c), c) for n, c in again.items()} == {
                n: (type(c), c) for n, c in made.items()
            }


TURNS = '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]'
UPLOADS = {
    "a.csv": "text,n,flag\n" + "".join(f'"x, {i}",{i},{i % 2 == 0}\n\n' for i in range(1000)),
    "a.jsonl": "".join(f'{{"b": {i}, "a": "x{i}"}}\n{{"a": true}}\n' for i in range(500)) + "{}\n",
    "b.jsonl": f'{{"messages": {TURNS}, "k": null}}\n' * 200,
    "c.jsonl": "{}\n" * 5000,
    "a.tsv": "a\tb\n" + "x\ty\n" * 5000 + "x\ty\tz\n",
}


@pytest.mark.parametrize("name", UPLOADS)
def test_a_large_upload_is_read_as_any_table(name):
    data = UPLOADS[name].encode()
    assert len(data) > SMALL
    here, found = (read(data, name, skip=True) for read in (read_any, read_upload))
    for table in (found, pickle.loads(pickle.dumps(found))):
        assert (table.name, table.columns, table.skipped) == (name, here.columns, here.skipped)
        assert table.chats == here.chats
        assert len(table.rows) == len(here.rows)
        assert [*table.rows] == [*here.rows]
        assert [place_of(row) for row in table.rows] == [place_of(row) for row in here.rows]
        kinds = [
            [[type(cell) for cell in row.values()] for row in one.rows] for one in (table, here)
        ]
        assert kinds[0] == kinds[1]


def test_a_parquet_upload_is_read_as_any_table(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    write_table(pa.table({"text": ["a", "b"], "n": [1, 2]}), tmp_path / "t.parquet")
    data = (tmp_path / "t.parquet").read_bytes()
    assert [*read_upload(data, "t.parquet").rows] == [*read_any(data, "t.parquet").rows]


@pytest.mark.parametrize("data", [UPLOADS["a.tsv"].encode(), b"\xff" * 9000, b"x" * 5_500_000])
def test_a_large_upload_is_refused_as_any_table(data):
    said = []
    for read in (read_any, read_upload):
        with pytest.raises(InputError) as caught:
            read(data, "a.tsv")
        said.append((caught.value.message, caught.value.hint))
    assert said[0] == said[1]


@pytest.mark.parametrize(("name", "value"), [("PATIENCE", 0.001), ("MEMORY_BYTES", 30_000_000)])
def test_an_upload_that_takes_too_much_is_a_sentence(monkeypatch, tmp_path, name, value):
    """The other process reads the limits from the file that it runs."""
    source = Path(uploads.__file__).read_text("utf-8")
    own = tmp_path / "uploads.py"
    own.write_text(re.sub("MEMORY_BYTES = 60, [0-9_]+", f"MEMORY_BYTES = 60, {value}", source))
    monkeypatch.setattr(uploads, "__file__", str(own))
    monkeypatch.setattr(uploads, name, value)
    with pytest.raises(InputError, match="takes too much time or memory"):
        read_upload(b"a,b\n" + b"x,y\n" * 19_000, "a.csv")
