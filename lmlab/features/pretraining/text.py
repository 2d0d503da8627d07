"""Step 1 of the Pre-training tab: the text, and the tokenizer that is trained on it."""

from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from lmlab.errors import InputError, LabError
from lmlab.features.pretraining import views
from lmlab.features.pretraining.service import Pretraining
from lmlab.lab import Lab
from lmlab.parts.gradio_compat.building import Html
from lmlab.parts.stream import QUICK, Shown, on
from lmlab.parts.widgets import static
from lmlab.text.documents import Limits, read_documents
from lmlab.training.corpus import NAMES, corpus_of, shipped_corpus
from lmlab.training.pretrain_config import SMALLEST, PretrainConfig
from lmlab.training.sets import TuningData

OWN = "own text"
MOST_VOCABULARY = 2048
TABLES = (".jsonl", ".json", ".csv", ".tsv")  # a column of which is learned
TYPES = [".txt", ".md", *TABLES]
LONGEST_NAME = 40
ABOUT = {
    "stories": "Stories for children, in simple words (TinyStories, unseen by the shipped base).",
    "plays": "Plays of Shakespeare, in verse.",
}
LATEST = {"trigger_mode": "always_last", **QUICK}
NO_UPLOADS = '<p class="lm-said">Uploads are switched off on this page; a text can be pasted.</p>'

TOKENS = """
<p class="lm-bpe-error lm-problem" role="status" hidden></p>
<div class="lm-bpe-all">
<div class="lm-bpe-toks lm-toks" tabindex="0" role="region"
 aria-label="The first held-out document as tokens; arrow keys walk them" dir="auto"></div>
<p class="lm-bpe-now lm-said" role="status"></p>
<div class="lm-bpe-lists">
<div><h3 class="lm-h">Merges, in order</h3>
<ol class="lm-bpe-merges" tabindex="0" aria-label="Merges in order"></ol></div>
<div><h3 class="lm-h">Most frequent tokens</h3>
<ol class="lm-bpe-often" tabindex="0" aria-label="Most frequent tokens"></ol></div>
</div></div>
"""


class Tokens(Html):
    """A tokenizer that was trained on a text: ``views.tokenizer``."""

    TEMPLATE = TOKENS
    MODULE = "features/pretraining/tokens"


@dataclass(frozen=True)
class TextStep:
    """The components of step 1 that others ask."""

    vocabulary: gr.Slider
    values: list[Any]  # what says which text is meant, in the order of ``data_of``
    shown: dict[str, Any]  # what a tokenizer is shown in


def build(lab: Lab) -> TextStep:
    """Draw step 1 inside the current column; every change trains the tokenizer anew."""
    own = gr.State(None)
    with gr.Column(elem_classes="lm-panel lm-step"):
        static('<h2 class="lm-h"><i>1</i> Text, and the tokens it is cut into</h2>')
        name = gr.Radio(
            [*NAMES, OWN], value=NAMES[0], label="Text", info=ABOUT[NAMES[0]],
            elem_id="pretraining-text",
        )  # fmt: skip
        vocabulary = gr.Slider(
            SMALLEST, MOST_VOCABULARY, PretrainConfig().vocabulary, step=1, label="vocabulary V",
            info="256 bytes, an end-of-text token, and merges", elem_id="pretraining-vocabulary",
        )  # fmt: skip
        with gr.Accordion("A text of your own", open=False, elem_id="pretraining-own"):
            given = _own(lab, name, own)
        facts = static("", elem_id="pretraining-facts")
        shown = {"tokens": Tokens(elem_id="pretraining-tokens"), "facts": facts}
    show, asked = partial(tokenized, lab), [name, own, vocabulary]
    named = name.input(
        lambda name: gr.update(info=ABOUT.get(name, "What you upload or paste below.")),
        name, name, **QUICK,
    )  # fmt: skip
    for event in (named.then, given.success):
        on(event, show, asked, shown, **QUICK)
    on(vocabulary.change, show, asked, shown, **LATEST)
    return TextStep(vocabulary, [name, own], shown)


def _own(lab: Lab, name: gr.Radio, own: gr.State) -> Any:
    """Where a text is given; the event of its being read."""
    if not lab.settings.uploads:
        static(NO_UPLOADS)
    upload = gr.File(
        label="text, or JSON, CSV or TSV, in UTF-8", file_types=TYPES, height=120,
        visible=lab.settings.uploads, elem_id="pretraining-upload",
    )  # fmt: skip
    pasted = gr.Textbox(
        "", label="or paste it" if lab.settings.uploads else "Paste it", lines=4, max_lines=10,
        info="a line <|endoftext|> ends a document, else paragraphs do; kept in your runs alone",
        max_length=lab.settings.max_corpus_chars, elem_id="pretraining-pasted",
    )  # fmt: skip
    with gr.Row(elem_classes="lm-buttons"):
        use = gr.Button("Use this text", size="sm", elem_id="pretraining-use", min_width=120)
        said = static("", elem_id="pretraining-said")
    found = {"name": name, "own": own, "said": said}
    return on(use.click, partial(read, lab), [upload, pasted], found, **QUICK)


def data_of(name: str, own: TuningData | None) -> TuningData:
    """The documents that are meant. Raises InputError: a text of the visitor's is chosen, and there
    is none.
    """
    if name != OWN:
        return shipped_corpus(name or "")
    if own is None:
        raise InputError("There is no text of yours yet.", "Upload one, or paste it.")
    return own


def tokenized(lab: Lab, name: str, own: TuningData | None, vocabulary: Any) -> Shown:
    """The tokenizer of a text; what is wrong stands in its place."""
    try:
        size = vocabulary_of(vocabulary)
        view = lab.service(Pretraining).tokenizer(data_of(name, own), size)
    except LabError as error:
        return {"tokens": views.no_tokenizer(str(error)), "facts": ""}
    return {"tokens": views.tokenizer(view), "facts": views.facts(view)}


def vocabulary_of(value: Any) -> int:
    """The slider's number. Raises InputError: it is none, or out of bounds."""
    whole = isinstance(value, int | float) and value == value and abs(value) < 1e9
    if not whole or not SMALLEST <= value <= MOST_VOCABULARY:
        raise InputError(
            "The vocabulary cannot be that.",
            f"It is a whole number from {SMALLEST:,} to {MOST_VOCABULARY:,}.",
        )
    return int(value)


def read(lab: Lab, file: Any, pasted: str) -> Shown:
    """A text of the visitor's."""
    limit = lab.settings.max_corpus_chars
    if file is not None and lab.settings.uploads:
        name = str(getattr(file, "orig_name", None) or file).rsplit("/", 1)[-1]
        with open(str(file), "rb") as opened:
            # A character takes four bytes at most: what is longer is refused, not cut.
            content: bytes | str = opened.read(4 * limit + 1)
    elif (pasted or "").strip():
        name, content = "pasted text", pasted
    else:
        raise InputError("There is no text.", "Choose a file, or paste some.")
    name = name[-LONGEST_NAME:]
    if name.lower().endswith(TABLES):
        found = read_documents(content, name, Limits.of(lab.settings))
        data = corpus_of(found, name, "upload")
    else:
        data = lab.service(Pretraining).own(content, name)
    size = sum(len(row["text"]) for row in (*data.train, *data.valid))
    parts = f"{len(data.train):,} to learn from, {len(data.valid):,} held out"
    said = f"{escape(data.name)}: {size:,} characters, {parts} (documents or parts of one)."
    return {"name": OWN, "own": data, "said": f'<p class="lm-said">{said}</p>'}
