"""The notebook runs from top to bottom on the embedded suite, without a network."""

import json
import subprocess
import sys
from pathlib import Path

NOTEBOOK = Path(__file__).parent.parent / "examples" / "lecture.ipynb"
# Runs the cells as a notebook does: the last expression of each is shown in its richest form.
RUNNER = """
import ast, json, socket, sys

def refuse(*_):
    raise OSError("a cell asked for the network")

socket.socket.connect = refuse
names, shown = {"__name__": "__main__"}, []
for source in json.load(sys.stdin):
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    if last is None:
        continue
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    if hasattr(value, "to_plotly_json"):
        shown.append(["figure", json.loads(value.to_json())])
    elif hasattr(value, "_repr_html_"):
        shown.append(["html", value._repr_html_()])
    elif value is not None:
        shown.append(["text", repr(value)])
print("\\x1e" + json.dumps(shown))
"""


def cells() -> list[dict]:
    """The notebook's cells."""
    book = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    return book["cells"]


def test_nothing_is_stored_in_it() -> None:
    found = cells()
    assert len({cell["id"] for cell in found}) == len(found)
    for cell in found:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    assert NOTEBOOK.stat().st_size < 30_000


def test_it_runs_from_top_to_bottom() -> None:
    sources = ["".join(cell["source"]) for cell in cells() if cell["cell_type"] == "code"]
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(sources),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shown = json.loads(done.stdout.rpartition("\x1e")[2])
    figures = [value for kind, value in shown if kind == "figure"]
    assert len(figures) >= 7
    for figure in figures:
        assert any(
            len(trace.get("y", [])) > 1 or "bdata" in str(trace.get("y"))
            for trace in figure["data"]
        )
    strips = [value for kind, value in shown if kind == "html" and "lmlab-strip" in value]
    assert len(strips) == 2
    assert any("blew" in value for kind, value in shown if kind == "html")
