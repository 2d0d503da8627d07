"""Tables of strangers: read to the letter, or refused with the row."""

import gzip

import pytest

from lmlab.errors import InputError
from lmlab.text.sets import Dataset, read_file, read_table, shipped, shipped_sets, split


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"a": "x,y", "b": 1}\n\n{"a": "ü", "b": true}\n', "t.jsonl"),
        ('a,b\r\n"x,y",1\r\n\r\nü,true\r\n', "t.csv"),
        ("a\tb\nx,y\t1\nü\ttrue\n", "t.tsv"),
        ("\ufeffa\tb\nx,y\t1\nü\ttrue", "pasted"),
        ('{"a": "x,y", "b": 1}\n{"a": "ü", "b": true}', "pasted"),
    ],
)
def test_every_kind_gives_the_same_rows(text, name):
    table = read_table(text.encode(), name)
    assert table.columns == ("a", "b")
    assert list(table.rows) == [{"a": "x,y", "b": "1"}, {"a": "ü", "b": "true"}]


def test_line_ends_within_a_cell_are_kept():
    assert read_table('a,b\n"1\n2",3\n', "t.csv").rows[0]["a"] == "1\n2"


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "t.csv", "no rows"),
        (b"a,b\n", "t.csv", "no rows"),
        (b"a,b\n1,2\n1\n", "t.csv", "Line 3 has 1 columns instead of 2"),
        (b"a,b\n1,2,3\n", "t.csv", "3 columns"),
        (b"a,a\n1,2\n", "t.csv", "Two columns are named ‘a’"),
        (b"a,\n1,2\n", "t.csv", "Column 2 has no name"),
        (b'a,b\n"1,2\n', "t.csv", "cannot be read"),
        (b"caf\xe9\n1\n", "t.csv", "not UTF-8 .line 1, byte 4"),
        (b"a\0,b\n1,2\n", "t.csv", "NUL"),
        (gzip.compress(b"a,b\n", mtime=0), "t.csv", "compressed"),
        (b"PK\x03\x04zip", "t.csv", "compressed"),
        (b'{"a": 1}\n[1]\n', "t.jsonl", "Line 2 is no JSON object"),
        (b'{"a": 1}\n{"a":\n', "t.jsonl", "Line 2 is no valid JSON"),
        (b'{"a": NaN}\n', "t.jsonl", "no valid JSON"),
        (b'{"a": {"b": 1}}\n', "t.jsonl", "list or an object"),
        (b'{"a": [[1]]}\n', "t.jsonl", "list or an object"),
        (b'{"a": "\\ud83d"}\n', "t.jsonl", "surrogate"),
        (b"[" * 100_000, "t.jsonl", "no valid JSON"),
        (b"x" * 201 + b"\n1\n", "t.csv", "name has 201 characters"),
        (b'{"' + b"x" * 201 + b'":1}\n', "t.jsonl", "name has 201 characters"),
        (b"a\n" + b"1\n" * 100_000, "t.csv", "more than 20,000 rows"),
        (b'{"a":1}\n' * 100_000, "t.jsonl", "more than 20,000 rows"),
        (b",".join(b"c%d" % i for i in range(20_000)) + b"\n", "t.csv", "20,000 columns"),
        (b",".join([b"c"] * 20_000) + b"\n", "t.csv", "20,000 columns"),
        (b"a\n" + b"x" * 30_000 + b"\n", "t.csv", "cell has 30,000"),
        (b"a" * 6_000_000, "t.csv", "larger than 5 MB"),
    ],
)
def test_what_cannot_be_read_is_said(data, name, words):
    with pytest.raises(InputError, match=words):
        read_table(data, name)


def test_a_list_of_plain_values_stays_a_list():
    rows = read_table('{"a": ["x", 1, "ü"]}\n{"a": ["x|y", ""]}\n{"a": []}', "t.jsonl").rows
    assert [row["a"] for row in rows] == ["x | 1 | ü", '["x|y", ""]', "[]"]


def test_a_row_that_lacks_a_column_is_named():
    rows = ({"text": "a", "label": "x"}, {"text": "b"}, {"text": "c", "label": " "})
    with pytest.raises(InputError, match="row 2 of the queries: column ‘label’ is missing"):
        Dataset("mine", (), rows[:2]).check(("text", "label"))
    with pytest.raises(InputError, match="row 1 of the examples: column ‘label’ is empty"):
        Dataset("mine", rows[2:], rows[:1]).check(("text", "label"))
    with pytest.raises(InputError, match="no rows to ask"):
        Dataset("mine", rows[:1], ()).check(("text",))


def test_columns_are_mapped_to_fields():
    table = read_table("q,a,z\n1,2,3", "t.csv").mapped({"text": "q", "label": "a"})
    assert table.rows == ({"text": "1", "label": "2"},)
    with pytest.raises(InputError, match="no column ‘nope’"):
        table.mapped({"text": "nope"})


def test_a_single_table_is_split_without_overlap():
    table = read_table("a\n" + "".join(f"{i % 50}\n" for i in range(100)), "t.csv")
    parts = split(table)
    assert len(parts.pool) == 15
    assert len(parts.queries) == 35
    assert not {row["a"] for row in parts.pool} & {row["a"] for row in parts.queries}
    assert split(table) == parts
    assert split(table, seed=1) != parts
    one = split(read_table("a\n1\n", "t.csv"))
    assert (len(one.pool), len(one.queries)) == (0, 1)


def test_the_shipped_sets_can_be_read():
    assert {"sentiment", "german", "qa", "opposite", "plural", "topic"} <= set(shipped_sets())
    for name in shipped_sets():
        found = shipped(name)
        assert found.pool
        assert found.queries
        assert not {*map(str, found.pool)} & {*map(str, found.queries)}
    with pytest.raises(InputError, match="There are: choice, german"):
        shipped("../qa")


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_file(tmp_path / "no.csv")
