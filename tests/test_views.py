"""What results become: the strip's payload and HTML, tables, plots, what a session keeps."""

import json
import math
import pickle
from dataclasses import replace

import pytest
from plotly.graph_objects import Figure, Scatter

from lmlab import palette
from lmlab.features.likelihood.views import definition, figures
from lmlab.measures import measures
from lmlab.parts import plots, strip, tables, widgets
from lmlab.scoring.scored import Scored, remarks
from lmlab.scoring.tokens import Alternative, TokenScore

HOSTILE = "<img src=x onerror=alert(1)>\"'&${1}"


def token(text: str, start: int, logprob: float | None = -1.5, rank: int | None = 2) -> TokenScore:
    identity = 9 + start
    top = (Alternative(7, f"a{HOSTILE}", -0.5), Alternative(identity, text, -1.5))
    entropy = None if logprob is None else 2.0
    return TokenScore(identity, text, start, start + len(text), logprob, rank, entropy, top)


@pytest.fixture
def scored() -> Scored:
    """Two tokens of hostile text."""
    tokens = (token(HOSTILE, 0), token("\n=cmd", len(HOSTILE), -3.0, 5))
    return Scored(HOSTILE, f"{HOSTILE}\n=cmd", HOSTILE, tokens, context=("<s>",))


@pytest.fixture
def unscored() -> Scored:
    """One token with nothing before it."""
    return Scored("m", "a", "", (token("a", 0, None, None),))


def test_a_payload_holds_the_numbers_and_no_markup(scored):
    text = strip.payload(scored, name="n")
    assert "<" not in text
    data = json.loads(text)
    (run,) = data["runs"]
    assert run["texts"] == [t.text for t in scored.tokens]
    assert [n / strip.SCALE for n in run["logprob"]] == [-1.5, -3.0]
    assert run["tops"]["words"][1] == HOSTILE
    assert run["tops"]["rows"][0] == [1, 0, 5000, 1, 15000]


def test_alternatives_stay_behind_for_long_texts(scored):
    (run,) = json.loads(strip.payload(scored, wire=1))["runs"]
    assert "tops" not in run


def test_two_runs_are_the_same_only_with_the_same_tokens(scored, unscored):
    assert json.loads(strip.payload(scored, scored))["same"]
    assert not json.loads(strip.payload(scored, unscored))["same"]
    assert any("bits per byte" in note for note in remarks(scored, unscored))


def test_the_html_of_a_notebook_is_escaped(scored):
    html = scored._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html
    assert "perplexity" in html


def test_every_view_escapes_what_a_visitor_typed(scored):
    for html in (figures(scored, scored), definition(scored)):
        assert "<img" not in html


def test_nothing_scored_has_figures_and_no_definition(unscored):
    assert "–" in figures(unscored)
    assert "no product" in definition(unscored)
    assert "Nothing was scored" in remarks(unscored)[0]
    plots.surprisal(unscored)


def test_the_definition_is_right_about_its_numbers(scored):
    html = definition(scored)
    assert f"{scored.perplexity:.2f}" in html
    assert f"{scored.log_perplexity:.4f}" in html


def test_a_table_holds_every_token(scored):
    table = tables.factors(scored, scored)
    assert table["ln_p"].tolist() == [-1.5, -3.0]
    assert table["p"].tolist() == pytest.approx([math.exp(-1.5), math.exp(-3.0)])
    assert table["difference_bits"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "  =1", "＝1"])
def test_no_cell_is_a_formula(cell):
    assert tables.neutral(cell).startswith("'")


def test_csv_survives_quotes_and_line_breaks(scored):
    import csv
    import io

    rows = list(csv.reader(io.StringIO(tables.to_csv(scored), newline="")))
    assert rows[1][1] == HOSTILE
    assert rows[2][1] == "'\n=cmd"


def test_a_plot_escapes_tokens_and_says_what_it_means(scored):
    figure = plots.surprisal(scored)
    assert "<img" not in figure.to_json().replace("\\u003c", "<")
    assert list(figure.data[0].y) == pytest.approx([1.5 / math.log(2), 3 / math.log(2)], abs=1e-3)
    assert plots.running_log_perplexity(scored) == [1.5, 2.25]


def test_columns_give_back_the_tokens_that_were_given():
    given = (token("a", 0, None, None), token("b", 1), token("c", 2, -3.0, 5))
    kept = Scored("m", "abc", "", given)
    assert tuple(kept.tokens) == given
    assert (kept.tokens[1:], kept.tokens[-1]) == (given[1:], given[2])
    assert pickle.loads(pickle.dumps(kept)) == kept
    assert [one.top for one in kept.tokens.bare] == [(), (), ()]


def test_a_token_that_shows_in_two_ways_is_kept_in_both(scored):
    first, second = scored.tokens
    tops = [(Alternative(7, text, -1.0),) for text in ("Once", " Once")]
    tokens = (replace(first, top=tops[0]), replace(second, top=tops[1]))
    assert tuple(replace(scored, tokens=tokens).tokens) == tokens


@pytest.mark.parametrize("found", measures(), ids=lambda one: one.key)
def test_every_measure_has_nine_colours_in_order(found):
    assert len(found.labels) == len(palette.RAMP) == len(found.edges) + 1
    bins = [found.level(edge) for edge in found.edges]
    assert bins == sorted(bins)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("ramp", "ink"),
    [(palette.RAMP, palette.INK), (palette.RAMP_DARK, palette.INK_DARK)],
)
def test_ramps_are_monotone_and_their_ink_is_readable(ramp, ink):
    values = [luminance(colour) for colour in ramp]
    assert values in (sorted(values), sorted(values, reverse=True))
    for back, fore in zip(ramp, ink, strict=True):
        low, high = sorted((luminance(back), luminance(fore)))
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_control_characters_can_be_seen():
    assert palette.visible("a\n\t\0\x7f\u202e") == "a⏎⇥␀␡⟨U+202E⟩"


def test_a_figure_of_nothing_has_no_axes_with_made_up_numbers():
    empty, drawn = Figure(), Figure(Scatter(x=[1], y=[2]))
    for figure in (empty, drawn):
        widgets.chart(figure, "figure")
    assert empty.layout.xaxis.visible is empty.layout.yaxis.visible is False
    assert drawn.layout.xaxis.visible is drawn.layout.yaxis.visible is None
