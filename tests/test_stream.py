"""The streamed handler: what a page shows of work that takes a while."""

from types import SimpleNamespace

import pytest

from lmlab.parts import first_open
from lmlab.parts.first_open import FirstAnswer
from lmlab.parts.stream import (
    STATUS,
    STOPPED,
    Busy,
    Pace,
    ended,
    on,
    result,
    stopped,
    streamed,
)
from lmlab.progress import Loading, Progress

SKIPPED = {"__type__": "update"}


def shown(work, *values, names=("strip", "plot"), n_flags=0):
    return list(streamed(work, list(names), n_flags)(*values))


def work(text):
    """Loading, progress, a partial result, the result."""
    yield Loading("fetching …")
    yield Busy("1 of <2>", 0.5)
    yield {"strip": text}
    yield Busy("2 of 2", 1, {"plot": "half"})
    return {"plot": "whole", STATUS: "<p>Done.</p>"}


def test_outputs_are_named_and_what_is_not_named_stays():
    loading, busy, partial, both, end = shown(work, "a")
    assert "fetching …" in loading[0]
    assert "1 of &lt;2&gt;" in busy[0]
    assert "width:50%" in busy[0]
    assert busy[1]["interactive"] is True
    assert busy[2:] == [SKIPPED, SKIPPED]
    assert partial == [SKIPPED, SKIPPED, "a", SKIPPED]
    assert both[2:] == [SKIPPED, "half"]
    assert end[0] == "<p>Done.</p>"
    assert end[1]["interactive"] is False
    assert end[2:] == [SKIPPED, "whole"]


def test_an_output_that_is_not_wired_is_an_error_that_names_it():
    with pytest.raises(KeyError, match="plot"):
        shown(work, "a", names=("strip",))
    with pytest.raises(KeyError, match="strap"):
        on(lambda handler, *_: handler(), lambda: {"strap": 1}, [], {"strip": None})


@pytest.mark.parametrize("held", [True, ("kept",)])
def test_nothing_is_done_where_something_is_there_already(held):
    """A scene has filled the tab in, or its result is shown."""
    assert shown(work, held, None, "a", n_flags=2) == [[SKIPPED] * 4]
    assert shown(work, False, None, "a", n_flags=2) == shown(work, "a")


def test_a_handler_may_leave_all_as_it_is():
    def nothing():
        return None
        yield

    assert shown(nothing) == [[SKIPPED] * 4]


def test_stop_keeps_its_word_and_an_error_clears_the_line():
    assert stopped()[0] == STOPPED
    assert ended(True)[0] == STOPPED
    assert ended(False)[0] == ""
    assert ended(False)[1]["interactive"] is False


@pytest.mark.parametrize("how", ["stopped", "failed"])
def test_what_is_asked_is_closed_when_a_handler_ends_early(how):
    closed = []

    def steps():
        try:
            yield from range(3)
        finally:
            closed.append(True)

    def handler():
        for step in steps():
            yield Busy(f"{step}")
            if how == "failed":
                raise ValueError("no")

    stream = streamed(handler, [])()
    next(stream)
    if how == "failed":
        with pytest.raises(ValueError, match="no"):
            next(stream)
    else:
        stream.close()
    assert closed == [True]


def test_a_result_comes_after_loading_and_progress_now_and_then():
    def steps():
        yield Loading("x")
        yield from (Progress(done, 1000) for done in range(1000))
        yield "the text"

    def handler():
        found = yield from result(steps(), str, lambda step: Busy(f"{step.done}"))
        return {"strip": found}

    told = shown(handler)
    assert 3 <= len(told) < 50
    assert told[-1][2] == "the text"


def test_a_pace_lets_the_first_sign_through():
    pace = Pace(1000)
    assert pace.is_due()
    assert not pace.is_due()


def test_a_first_answer_is_computed_once_and_comes_with_the_page(monkeypatch):
    strip, asked = object(), []
    first = FirstAnswer([SimpleNamespace(value="a")], {"strip": strip})

    def answer(text):
        asked.append(text)
        yield Busy("reading …")
        if len(asked) == 1:
            return None
        return {"strip": text.upper(), "plot": text}

    handler = first.kept_of(answer)
    for text, end in (("a", SKIPPED), ("b", "B")):
        assert shown(handler, text)[-1][2] == end
        assert (first.edition, first.values()) == (0, {})  # no answer, and no first one
    for steps in (2, 1):
        found = shown(handler, "a")
        assert (len(found), found[-1][2:]) == (steps, ["A", "a"])
        assert (first.edition, first.values()) == (1, {strip: "A"})
    assert asked == ["a", "b", "a"]
    monkeypatch.setattr(first_open, "FRESH", 0)
    shown(handler, "a")
    assert (asked[-1], len(asked), first.edition) == ("a", 4, 2)
