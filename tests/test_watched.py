"""What a terminal is shown while a command works, and that nothing is shown elsewhere."""

import pytest

from lmlab.cli.main import main
from lmlab.terminal.run_report import Line, shown
from lmlab.terminal.watched import borrowed, counting
from lmlab.training.events import Evaluated, Sized, Started, TrainStep
from lmlab.training.sizing import Size

USED, WHOLE = Size(24, 1, 0, 1, 5.0), Size(200, 16, 40, 3, 95.0)
BEGUN = Started("r", "lora", 1, 2, 3, 200, 5, 100, 0.5, "cpu", "float32")


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")


def step(number: int, seconds: float = 2.0) -> TrainStep:
    return TrainStep(number, 1.5, 1e-3, 1.0, 300, seconds)


def test_a_line_says_what_goes_on_how_fast_and_how_long_it_will_take():
    line = Line(100)
    assert "how fast" in line.take(BEGUN)
    said = line.take(Sized(0, USED, WHOLE, 50))
    assert said.startswith("measuring 24 of 200 held-out rows, 1 of 16 general texts, no answers")
    assert "held out 2.000" in line.take(Evaluated(0, 2.0, None, None, 5.0))
    # 99 steps of two seconds, and the evaluations after steps 50 and 100.
    assert line.take(step(1)) == "loss 1.500  held out 2.000  150 tokens/s  3 min 28 s left"
    for number in range(2, 60):
        line.take(step(number, 4.0))
    assert line.left(4.0) == 41 * 4 + 5
    line.take(step(100))
    assert line.left(4.0) == 0


def test_a_run_says_on_how_many_rows_it_is_measured_and_else_keeps_quiet(capsys):
    events = [BEGUN, Sized(0, USED, WHOLE, 50), step(1)]
    assert list(shown(iter(events), 100, True)) == events
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("lmlab: Each evaluation measures 24 of 200 held-out rows")
    assert said.err.count("\n") == 1
    assert list(shown(iter([Sized(0, WHOLE, WHOLE, 50)]), 100, True))
    assert capsys.readouterr().err == ""


def test_counting_is_shown_in_a_terminal_alone(capsys):
    with counting("texts") as tell:
        tell("scoring", 3, 8)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_what_is_counted_and_loaded(terminal, capsys, folder):
    with counting("texts") as tell:
        for done in (0, 2, 4, 8):
            tell("scoring", done, 8)
    said = capsys.readouterr()
    assert said.out == ""
    assert all(part in said.err for part in ("scoring", "8/8", "texts/s"))
    with borrowed([str(folder())]) as (lm,):
        assert lm.context
    assert "Loading" in capsys.readouterr().err


def test_results_are_not_mixed_with_what_is_counted(terminal, capsys, folder, tmp_path):
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "The cat sat."}\n' * 3)
    assert main(["score", "--model", str(folder()), "--jsonl", str(texts)]) == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 3
    assert "\x1b" not in said.out
    assert "scoring" in said.err
