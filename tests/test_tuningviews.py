"""What the Fine-tune tab is given: news of a run, masks, tables, drawings."""

import html
import json
import math
import re
from dataclasses import replace

import pytest

from lmlab.features.tuning.views import race, settings_table
from lmlab.parts import run_drawings, run_views
from lmlab.parts.run_drawings import Contender
from lmlab.runs.store import RunInfo
from lmlab.training.config import FinetuneConfig
from lmlab.training.events import (
    Evaluated,
    Finished,
    Sampled,
    SampleToken,
    Saved,
    Sized,
    Started,
    TrainStep,
)
from lmlab.training.sets import MaskToken, MaskView
from lmlab.training.sizing import Size

HOSTILE = "</script><b>${alert(1)}"


def steps(*losses: float, first: int = 1) -> list[TrainStep]:
    return [TrainStep(i, loss, 1e-3, 1.0, 10, 0.1) for i, loss in enumerate(losses, first)]


def run(**known) -> RunInfo:
    fields = {"id": "a1", "title": "t", "model": "base", "data": "qa", "template": "x"}
    return RunInfo(**{**fields, "config": FinetuneConfig(), "state": "done", **known})


def test_news_are_short_and_in_order():
    events = [
        Started("r", "lora", 5, 50, 8, 2, 30, 20, 1.234, "cpu", "float32", warnings=("w",)),
        Evaluated(0, 3.0, 2.0, 0.5),
        Sampled(0, 1, "p" * 1000, " yes", " no", (SampleToken(7, " no", -0.25),)),
        *steps(1.23456789),
        Saved(1, "checkpoints/1"),
        Finished("done", 1, seconds=2.0),
    ]
    found = run_views.news(events)
    assert [event[0] for event in found] == ["plan", "eval", "sample", "step", "end"]
    assert found[0][1] == {"steps": 20, "warnings": ["w"]}
    assert found[1] == ["eval", 0, 3.0, 2.0, 0.5]
    assert found[2][1]["tokens"] == [[" no", 2500]]
    assert len(found[2][1]["prompt"]) == 402
    assert found[3] == ["step", 1, 1.23457, 0.001, 1.0, 10, 0.1]


def test_on_which_rows_was_measured_is_said_where_losses_stand():
    sized = Sized(0, Size(24, 1, 0, 1, 5.0), Size(200, 16, 40, 3, 95.0), 50)
    ((kind, told),) = run_views.news([sized])
    assert (kind, told["every"], told["seconds"]) == ("sized", 50, 5.0)
    assert "24 of 200 held-out rows" in told["told"]
    (whole,) = run_views.news([replace(sized, used=sized.whole)])
    assert whole[1]["told"] == ""
    known = {"step": 9, "trainable": 5, "valid_loss": 1.5, "held_out": 200}
    some, all_ = (run(id=f"a{n}", measured=n, **known) for n in (24, 200))
    rows = json.loads(html.unescape(run_views.table([some, all_], {})))["rows"]
    assert [row["valid"] for row in rows] == ["1.500 (24 of 200 rows)", "1.500"]
    assert "24 of 200" in settings_table([some, all_])
    assert "different numbers of held-out rows" in race([some, all_])
    assert "different numbers" not in race([all_, all_])


def test_what_is_not_a_number_travels_as_none():
    (event,) = run_views.news(steps(math.nan))
    assert event[2] is None
    json.loads(json.dumps(event, allow_nan=False))


def test_a_resumed_run_has_one_curve():
    events = [*steps(5.0, 4.0, 3.0), *steps(9.0, 8.0, first=2), Evaluated(3, 1.0, None)]
    found = run_views.curves(events)
    assert found["loss"][0] == [1, 2, 3]
    assert found["valid"] == ([3], [1.0])
    assert found["probe"] == ([], [])


def test_a_constant_loss_is_smoothed_to_itself():
    found = run_views.curves(steps(*[2.5] * 30))
    assert found["loss"][1] == [2.5] * 30


def test_a_long_curve_is_thinned_and_keeps_its_end():
    xs, ys = run_views.curves(steps(*[1.0] * 5001))["loss"]
    assert len(xs) == len(ys) <= run_views.MOST_POINTS
    assert xs[-1] == 5001


def test_a_mask_is_inert_json():
    tokens = (
        MaskToken(0, "<s>", "start", False),
        MaskToken(1, HOSTILE, "prompt", False),
        MaskToken(2, "b", "answer", True),
        MaskToken(3, "</s>", "end", True),
    )
    text = run_views.mask(MaskView(4, 9, tokens, "a", "b", (HOSTILE,)), 64)
    assert "<" not in text
    found = json.loads(text)
    assert found["tokens"] == [["<s>", 0, 1], [HOSTILE, 0, 0], ["b", 1, 0], ["</s>", 1, 1]]
    assert (found["loss"], found["row"], found["limit"]) == (2, 4, 64)


def test_the_table_numbers_runs_by_age_and_says_how_they_are():
    lost = run(id="b2", state="failed", reason="nan", config=FinetuneConfig(rank=2))
    queued = run(id="c3", state="queued", place=0, data=HOSTILE)
    one = run(step=200, trainable=1234, valid_loss=0.5, accuracy=0.25, probe_loss=2.5,
              probe_before=2.0, seconds=41.4)  # fmt: skip
    text = run_views.table([queued, lost, one], {"a1": {}, "gone": {}}, "b2")
    assert "<" not in text
    found = json.loads(text)
    assert [row["name"][:2] for row in found["rows"]] == ["3.", "2.", "1."]
    assert [row["state"] for row in found["rows"]] == ["waiting, place 1", "failed", "finished"]
    assert found["chosen"] == ["a1"]
    last = found["rows"][2]
    assert (last["trainable"], last["valid"], last["accuracy"]) == ("1,234", "0.500", "25 %")
    assert (last["forgetting"], last["seconds"]) == ("+0.500", "41")
    assert found["rows"][1]["valid"] == "–"


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (FinetuneConfig(rank=4), "LoRA, ℓ = 4"),
        (FinetuneConfig(method="full"), "full"),
        (FinetuneConfig(method="prompt", length=9), "prompt tuning, 9"),
        (FinetuneConfig(method="selective", parts=("-1", "head")), "layer -1, head"),
    ],
)
def test_a_method_has_a_short_name(config, name):
    assert run_views.method_name(run(config=config)) == name


def rects(svg: str) -> list[tuple[float, float]]:
    found = re.findall(r'<rect class="\w+" .*? width="([\d.]+)" height="([\d.]+)"', svg)
    return [(float(width), float(height)) for width, height in found]


@pytest.mark.parametrize(("d", "k", "rank"), [(384, 384, 8), (1536, 384, 16), (64, 256, 64)])
def test_w_and_v_u_are_drawn_at_true_proportions(d, k, rank):
    w, v, u = rects(run_drawings.low_rank(d, k, rank))
    unit = w[0] / k
    assert w[1] / unit == pytest.approx(d, rel=0.01)
    assert v[1] / unit == pytest.approx(d, rel=0.01)
    assert u[0] / unit == pytest.approx(k, rel=0.01)
    assert v[0] / unit == pytest.approx(rank, rel=0.02)
    assert u[1] / unit == pytest.approx(rank, rel=0.02)


def test_a_contest_puts_ten_times_the_parameters_as_far_again():
    found = [Contender(n, size, 1.0 + i / 10, i / 10) for i, (n, size) in enumerate(
        [("a", 1000), ("b", 10_000), ("c", 100_000)]
    )]  # fmt: skip
    svg = run_drawings.contest(found, "loss")
    xs = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', svg)]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert re.findall(r"fill:var\(--b(\d)\)", svg) == ["1", "5", "8"]


def test_names_in_a_contest_are_escaped_and_do_not_cover_one_another():
    found = [Contender(HOSTILE, 1000, 1.0, None)] + [
        Contender(f"method {i}", 1000 + i, 1.0, 0.1) for i in range(4)
    ]
    svg = run_drawings.contest(found, "loss")
    assert "<b>" not in svg
    places = re.findall(r'<text class="name" x="([\d.]+)" y="([\d.]+)"', svg)
    assert len(set(places)) == 5


def test_nothing_to_compare_draws_nothing():
    assert run_drawings.contest([Contender("a", 10, None, None)], "loss") == ""


def test_the_points_of_a_race_are_held_as_rows_that_are_saved():
    name = '=1+1 "><img src=x>'
    drawn = run_drawings.contest([Contender(name, 640, 0.5, None)], "held-out loss")
    assert "<img" not in drawn
    held = json.loads(html.unescape(re.search(r'data-rows="([^"]*)"', drawn)[1]))
    assert held[0] == ["run", "parameters that learn", "held-out loss", "forgetting, nats a token"]
    assert held[1:] == [[name, 640, 0.5, None]]
