"""Results as plotly figures: transparent, mid-grey text, so that they suit any page."""

import math
from html import escape

import numpy as np
import plotly.graph_objects as go

from lmlab.palette import visible
from lmlab.parts.strip import same_tokens
from lmlab.scoring.scored import Scored

LN2 = math.log(2)
FIRST, SECOND, MEAN, MEAN_SECOND = "#d9660f", "#2f7fc4", "#5b5bd6", "#159a8c"
GREY = "#7b8294"
# Above this many tokens, markers would hide the line.
MARKERS = 400


def empty() -> go.Figure:
    """Axes with nothing in them."""
    return _figure("token", "surprisal, bits")


def surprisal(scored: Scored, other: Scored | None = None) -> go.Figure:
    """Surprisal of each token and the running log-perplexity, both in bits.

    With a second model that has the same tokens, its curves too; with one that has others, the
    running bits per byte of both along the text's bytes. Trace 0 has one point for each token of
    ``scored``, unless the tokens differ.
    """
    if other is not None and not same_tokens(scored, other):
        return _bits_per_byte(scored, other)
    figure = _figure("token i", "bits")
    figure.update_xaxes(range=[0.4, max(2, len(scored.tokens)) + 0.6])
    if other is None:
        traces = [_line(scored, "surprisal", FIRST), _mean(scored, "running log-perplexity", MEAN)]
    else:
        one, two = escape(scored.model), escape(other.model)
        traces = [
            _line(scored, f"surprisal, {one}", FIRST),
            _line(other, f"surprisal, {two}", SECOND),
            _mean(scored, f"running, {one}", MEAN),
            _mean(other, f"running, {two}", MEAN_SECOND),
        ]
    figure.add_traces(traces)
    return figure


def running_log_perplexity(scored: Scored) -> list[float | None]:
    """Mean surprisal of the tokens so far, in nats; None until one is scored."""
    logprobs = scored.tokens.columns["logprob"]
    known = ~np.isnan(logprobs)
    counts, totals = np.cumsum(known), np.cumsum(np.where(known, -logprobs, 0.0))
    return [float(t / n) if n else None for t, n in zip(totals, counts, strict=True)]


def _line(scored: Scored, name: str, colour: str) -> go.Scatter:
    # Plotly reads "<b>" and its kin in a text as markup.
    texts = [escape(visible(text)) for text in scored.tokens.texts]
    values = scored.measured("surprisal").tolist()
    bits = [None if math.isnan(value) else round(value, 4) for value in values]
    few = len(texts) <= MARKERS
    return go.Scatter(
        x=list(range(1, len(texts) + 1)),
        y=bits,
        text=texts,
        name=name,
        mode="lines+markers" if few else "lines",
        line={"color": colour, "width": 1.4 if few else 1},
        marker={"size": 5 if len(texts) > 60 else 7},
        hovertemplate="%{text}<br>token %{x}, %{y:.2f} bits<extra></extra>",
    )


def _mean(scored: Scored, name: str, colour: str) -> go.Scatter:
    means = running_log_perplexity(scored)
    return go.Scatter(
        x=list(range(1, len(means) + 1)),
        y=[None if mean is None else round(mean / LN2, 3) for mean in means],
        name=name,
        mode="lines",
        line={"color": colour, "width": 3},
        hoverinfo="skip",
    )


def _bits_per_byte(scored: Scored, other: Scored) -> go.Figure:
    figure = _figure("bytes of the text", "bits per byte so far", by_token=False)
    for run, colour in ((scored, FIRST), (other, SECOND)):
        xs, ys, total, position, skipped = list[int](), list[float](), 0.0, 0, 0
        tokens = run.tokens
        ends = zip(tokens.starts, tokens.ends, tokens.columns["logprob"].tolist(), strict=True)
        for start, end, logprob in ends:
            position += len(run.text[start:end].encode())
            if math.isnan(logprob):
                skipped = position
                continue
            total -= logprob
            if position > skipped:
                xs.append(position)
                ys.append(round(total / LN2 / (position - skipped), 4))
        figure.add_trace(
            go.Scatter(
                x=xs,
                y=ys,
                mode="lines",
                name=escape(run.model),
                line={"color": colour, "width": 3},
                hovertemplate="%{y:.3f} bits per byte after %{x} bytes<extra></extra>",
            )
        )
    return figure


def _figure(x: str, y: str, *, by_token: bool = True) -> go.Figure:
    axis = {"zeroline": False, "fixedrange": False, "automargin": True}
    figure = go.Figure()
    figure.update_layout(
        template=None,
        meta={"points": "tokens" if by_token else "bytes"},
        height=270,
        margin={"l": 52, "r": 14, "t": 34, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 14, "color": GREY, "family": "IBM Plex Sans, system-ui, sans-serif"},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        showlegend=True,
        hovermode="closest",
        hoverlabel={"bgcolor": "#1e2433", "bordercolor": "#1e2433", "font": {"color": "#ffffff"}},
        xaxis={"title": {"text": x}, "showgrid": False, **axis},
        yaxis={
            "title": {"text": y},
            "gridcolor": "rgba(128,134,150,.22)",
            "rangemode": "tozero",
            **axis,
        },
    )
    return figure
