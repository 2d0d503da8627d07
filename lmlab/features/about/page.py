"""The About tab: what lmlab is, how its numbers are made, and the embedded models' own cards."""

import re
from pathlib import Path

import gradio as gr

from lmlab.assets import models_dir
from lmlab.lab import Lab
from lmlab.parts.widgets import static
from lmlab.version import __version__

NAME = "About"

TEXT = """
<div class="lm-panel lm-about">
<h2>See what a language model expects</h2>
<p><b>lmlab</b> {version} is a page, a command and a Python library for exploring how language
models behave. Everything on this page is computed by the machine it came from: no text, no result
and no statistic goes anywhere else. It works without a network; only a model that you name by its
Hub id is fetched, once.</p>
<h3>How a text is scored</h3>
<dl>
<dt>Start</dt><dd>A text with no prefix is conditioned on the start token (BOS, else EOS), which
stands before it; another one can be chosen. If the tokenizer has none, the first token stays
unscored: it is hatched, and not counted in L.</dd>
<dt>Prefix and text</dt><dd>Both are encoded together, once. White space at the end of the prefix,
and a token that spans the border, are scored with the text.</dd>
<dt>Long texts</dt><dd>A text longer than the model's context is cut into windows that keep some
context before every block. Each token is scored exactly once.</dd>
<dt>Surprisal</dt><dd>−log₂ p(token | everything before), in bits. 1 bit: the model gave it one
half. 10 bits: about one in a thousand.</dd>
<dt>Log-likelihood</dt><dd>The sum of ln p over the scored tokens, in nats (1 nat = 1.443
bits).</dd>
<dt>Perplexity</dt><dd>exp of minus the mean of ln p. It depends on how a model cuts a text into
tokens; compare models with different tokens by bits per byte.</dd>
<dt>Bits per byte</dt><dd>−log-likelihood / (ln 2 · UTF-8 bytes of the scored text). Where the
tokenizer has no token for some of the text there are none, as what it reads there is not what is
written.</dd>
<dt>Rank</dt><dd>1 for the model's favourite. Entropy: how undecided the model is, before it sees
the token, in bits.</dd>
<dt>Odd characters</dt><dd>Spaces show as ·, line breaks as ⏎, tabs as ⇥. A token that holds a
part of a character shows its bytes: ⟨F0 9F⟩.</dd>
</dl>
<h3>Keys</h3>
<p><kbd>Ctrl</kbd> + <kbd>Enter</kbd> scores. In the strip: <kbd>←</kbd> <kbd>→</kbd> <kbd>↑</kbd>
<kbd>↓</kbd> <kbd>Home</kbd> <kbd>End</kbd> walk, <kbd>Enter</kbd> pins a token, <kbd>Esc</kbd>
lets it go.</p>
<h3>Embedded models</h3>
</div>
"""
NONE = "No model is embedded in this copy."
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks."""
    static(TEXT.format(version=__version__), elem_id="about-text")
    found = cards(models_dir(), lab.settings.model)
    if not found:
        gr.Markdown(NONE)
    for name, text in found:
        with gr.Accordion(name, open=len(found) == 1, elem_classes="lm-cardbox"):
            gr.Markdown(text, elem_classes="lm-modelcard")


def cards(models: Path, first: str) -> list[tuple[str, str]]:
    """Name and card of every embedded model, without front matter; ``first`` comes first."""
    files = [path for path in models.rglob("README.md") if path.parent != models]
    found = [(path.parent.relative_to(models).as_posix(), path) for path in files]
    ordered = sorted(found, key=lambda pair: (pair[0] != first, "/" in pair[0], pair[0]))
    return [(name, FRONT_MATTER.sub("", path.read_text("utf-8"))) for name, path in ordered]
