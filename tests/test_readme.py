"""The README keeps step with what ships: its table of scenes, its pictures and their sizes."""

import re
from pathlib import Path

from tools.marked import between
from tools.scenes import BEGIN, END, scenes_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LARGEST = 150_000  # bytes of a picture


def test_the_table_of_scenes_is_that_of_the_scenes():
    assert between(README, BEGIN, END, scenes_table()) == README


def test_every_picture_is_there_is_shown_and_is_small():
    shown = set(re.findall(r"\(docs/images/([\w-]+\.png)\)", README))
    there = {path.name: path.stat().st_size for path in (ROOT / "docs/images").iterdir()}
    assert shown == set(there)
    assert {name: size for name, size in there.items() if size > LARGEST} == {}
