"""The README keeps step with what ships: its table of scenes, its pictures and their sizes."""

import re
from pathlib import Path

import pytest

from tools.marked import between
from tools.readme_tables import TABLES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LARGEST = 150_000  # bytes of a picture


@pytest.mark.parametrize(("begin", "end", "table"), TABLES)
def test_tables_are_made_from_what_there_is(begin, end, table):
    assert between(README, begin, end, table()) == README


def test_every_picture_is_there_is_shown_and_is_small():
    shown = set(re.findall(r"\(docs/images/([\w-]+\.png)\)", README))
    there = {path.name: path.stat().st_size for path in (ROOT / "docs/images").iterdir()}
    assert shown == set(there)
    assert {name: size for name, size in there.items() if size > LARGEST} == {}
