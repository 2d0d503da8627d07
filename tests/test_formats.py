"""Numbers and white space as people read them: the cases that the modules are held to too."""

import json
from pathlib import Path
from typing import Any

from lmlab.measures import measure
from lmlab.numbers import probability, signed
from lmlab.palette import visible

CASES: dict[str, list[list[Any]]] = json.loads(
    Path(__file__).with_name("format_cases.json").read_text(encoding="utf-8")
)
FORMATS = {
    "probability": probability, "visible": visible, "fixed": signed, "count": "{:,}".format,
    "level": lambda value, key: measure(key).level(value),
}  # fmt: skip


def test_what_people_read_is_written_as_the_cases_say():
    for name, cases in CASES.items():
        for *given, said in cases:
            assert FORMATS[name](*given) == said, (name, given)
