"""The Data tab's lower half: a small corpus looked at, filtered and cleaned."""

import math
from collections.abc import Callable
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.data import receipt_notes, views
from lmlab.features.data.cleaning import Cleaning, to_jsonl
from lmlab.features.data.feature import FEATURE
from lmlab.features.data.findings import Inspected
from lmlab.features.data.language import language_name
from lmlab.features.data.service import Corpora
from lmlab.features.data.widgets import QualityView
from lmlab.lab import Lab
from lmlab.parts.first_open import Led
from lmlab.parts.gradio_compat import building
from lmlab.parts.pickers import model_picker
from lmlab.parts.receipt_button import Keep
from lmlab.parts.saving import Saver
from lmlab.parts.stream import QUIET, SCORING, Busy, Line, Work, result, waits_in
from lmlab.parts.widgets import static
from lmlab.text.documents import CUTS

QUICK = waits_in("corpus", 4)
TYPES = (".txt", ".md", ".jsonl", ".csv", ".tsv")
OWN = "own text"
ALL = "all languages"
EXACT, NEAR, MASK, FILTER = WISHES = (
    "drop exact duplicates",
    "drop near duplicates",
    "mask personal data",
    "drop above the threshold",
)
HEAD = (
    '<h2 class="lm-h2">A small corpus, as a data engineer looks at it</h2>'
    '<p class="lm-why">Duplicates, personal data, languages, and a model’s perplexity as a filter: '
    "what comes out is what a model would be trained on.</p>"
)
NO_UPLOADS = '<p class="lm-said">Uploads are switched off on this page; a text can be pasted.</p>'
EMPTY = (
    '<div class="lm-findings"><div class="lm-empty"><b>Nothing looked at yet</b>Choose a corpus '
    "and press Inspect.</div></div>"
)


def build(lab: Lab) -> None:
    """Draw it inside the current Blocks and wire it to the lab."""
    tab, names = building.tab(), lab.service(Corpora).samples()
    static(HEAD)
    with gr.Column(elem_classes="lm-panel"):
        with gr.Row(elem_classes="lm-inputs"):
            source = gr.Radio(
                [*names, OWN], value=names[0] if names else OWN, label="Corpus", scale=2,
                info="scraps: a few dozen documents made for this page", elem_id="data-source",
                min_width=240,
            )  # fmt: skip
            model = model_picker(
                lab, "data-model", "Filter by perplexity under", scale=2, needs=FEATURE.needs
            )
            similarity = gr.Slider(
                0.3, 1, 0.6, step=0.05, label="near duplicates from similarity",
                elem_id="data-similarity", scale=2, min_width=200,
            )  # fmt: skip
            with (
                gr.Column(scale=2, min_width=220, elem_classes="lm-side"),
                gr.Row(elem_classes="lm-buttons"),
            ):
                go = gr.Button(
                    "Inspect", variant="primary", elem_id="data-go", elem_classes="lm-go"
                )
                stop = gr.Button("Stop", interactive=False, elem_id="data-stop", min_width=80)
        line = Line(static("", elem_id="data-status"), stop)
        with gr.Column(visible=not names, elem_id="data-own") as own:
            given = _own(lab)
    source.change(
        lambda source: gr.update(visible=source == OWN), source, own, queue=False, **QUIET
    )
    outputs, wishes = _outputs()
    line.keep = Keep("data", ("data-findings", "data-quality", "data-summary"))
    asked = ([source, *given, model, similarity, wishes], outputs)
    line.on(go.click, inspector(lab), *asked, trigger_mode="always_last", **SCORING)
    seen = [Led(False), outputs["kept"]]
    line.on(tab.select, inspector(lab), *asked, unless=seen, trigger_mode="once", **SCORING)
    line.stoppable()
    line.keep.notes(receipt_notes.of_corpus, [outputs["kept"]])


def _own(lab: Lab) -> list[Any]:
    """Where a visitor's own text is given: a file, or what is pasted, and where it is cut."""
    limits, uploads = lab.service(Corpora).limits, lab.settings.uploads
    if not uploads:
        static(NO_UPLOADS)
    with gr.Row(elem_classes="lm-inputs"):
        file = gr.File(
            label="text, Markdown, JSONL or CSV in UTF-8", file_types=list(TYPES), height=165,
            visible=uploads, elem_id="data-upload", scale=2, min_width=240,
        )  # fmt: skip
        pasted = gr.Textbox(
            "", label="or paste a text", lines=5, max_lines=10, elem_id="data-pasted", scale=3,
            max_length=limits.chars, min_width=260,
            placeholder="documents with a blank line between …",
            info=f"at most {limits.documents:,} documents, {limits.chars:,} characters",
        )  # fmt: skip
        cut = gr.Radio(
            list(CUTS), value=CUTS[0], label="a new document begins after",
            info="of plain text; JSONL and CSV have one in each line, in the column ‘text’",
            elem_id="data-cut", scale=2, min_width=220,
        )  # fmt: skip
    return [file, pasted, cut]


def _outputs() -> tuple[dict[str, Any], gr.CheckboxGroup]:
    """What a corpus is shown in and what is kept of it, by name, and what is wished of it."""
    findings = static(EMPTY, elem_id="data-findings")
    with gr.Row(elem_classes="lm-result"):
        with gr.Column(scale=3, min_width=320, elem_classes="lm-panel"):
            static('<h3 class="lm-h">Perplexity as a filter of quality</h3>')
            quality = QualityView(elem_id="data-quality")
        with gr.Column(scale=2, min_width=320, elem_classes="lm-panel"):
            static('<h3 class="lm-h">What is left</h3>')
            wishes = gr.CheckboxGroup(
                list(WISHES), value=list(WISHES), label="Clean", elem_id="data-wishes"
            )
            language = gr.Dropdown([(ALL, "")], value="", label="Keep", elem_id="data-language")
            summary = static("", elem_id="data-summary")
            with gr.Row(elem_classes="lm-buttons lm-takeaway"):
                looks = {"variant": "primary", "elem_classes": "lm-go"}
                cleaned = Saver("data-cleaned", "Cleaned corpus, JSONL", **looks)
                table = Saver("data-csv", "Table, CSV", min_width=100)
    kept, at = gr.State(None), gr.State(None)
    # Quick answers from what the session keeps: nothing is scored again.
    form = [kept, wishes, language, at]
    moved = quality.cut(cut_at, None, at, **QUICK)
    moved.then(summed, form, summary, **QUICK)
    turned = [wishes.change, language.input]
    gr.on(turned, summed, form, summary, trigger_mode="always_last", **QUICK)
    none = ("There is nothing to download yet.", "Inspect a corpus first.")
    cleaned.gives("cleaned.jsonl", lambda *form: _of(to_jsonl, *form), form, *none)
    table.gives("documents.csv", lambda kept: views.to_csv(kept) if kept else "", kept, *none)
    shown = {"findings": findings, "quality": quality, "language": language, "summary": summary}
    return {**shown, "at": at, "kept": kept}, wishes


def inspector(lab: Lab) -> Callable[..., Work]:
    """The handler of Inspect."""

    def inspect(
        source: str, file: Any, pasted: str | None, cut: str, model: str,
        similarity: float | None, wishes: list[str],
    ) -> Work:  # fmt: skip
        name, texts = chosen(lab, source, file, pasted, cut)
        yield Busy("reading …")
        if similarity is None:
            raise InputError("The similarity of near duplicates is empty.", "Type a number.")
        steps = lab.service(Corpora).inspect(model, name, texts, float(similarity))
        found = yield from result(steps, Inspected, lambda step: Busy(step.message, step.share))
        at = views.threshold(found)
        named = [(f"{language_name(code)} ({n})", code) for code, n in found.languages() if code]
        return {
            "findings": views.findings(found),
            "quality": views.quality(found, at),
            "language": gr.update(choices=[(ALL, ""), *named], value=""),
            "summary": summed(found, wishes, "", at),
            "at": at,
            "kept": found,
        }

    return inspect


def chosen(
    lab: Lab, source: str, file: Any, pasted: str | None, cut: str
) -> tuple[str, tuple[str, ...]]:
    """The corpus that is meant: its name and its documents."""
    if source != OWN:
        return source, lab.service(Corpora).sample(source)
    if cut not in CUTS:
        raise InputError("Choose where the text is cut.")
    if file is not None and lab.settings.uploads:
        name = str(getattr(file, "orig_name", None) or file).rsplit("/", 1)[-1]
        most = 4 * lab.service(Corpora).limits.chars + 1
        with open(str(file), "rb") as opened:
            return name, lab.service(Corpora).read(opened.read(most), name, cut)
    if not (pasted or "").strip():
        raise InputError("There is no text.", "Choose a file, or paste one.")
    return "the pasted text", lab.service(Corpora).read(pasted or "", "the pasted text", cut)


def cut_at(event: gr.EventData) -> Any:
    """Where the threshold was left."""
    try:
        at = float(event.at)
    except (AttributeError, TypeError, ValueError):
        return gr.skip()
    return at if math.isfinite(at) and at >= 0 else gr.skip()


def summed(
    corpus: Inspected | None, wishes: list[str], language: str | None, at: float | None
) -> str:
    """The summary for what the form says now."""
    return _of(views.summary, corpus, wishes, language, at)


def _of(
    make: Callable[[Inspected, Cleaning], str],
    corpus: Inspected | None,
    wishes: list[str],
    language: str | None,
    at: float | None,
) -> str:
    """What is made of a corpus, if there is one, cleaned as the form says."""
    wanted = Cleaning(
        exact=EXACT in wishes,
        near=NEAR in wishes,
        mask=MASK in wishes,
        languages=(language,) if language else (),
        most_bits=at if FILTER in wishes else None,
    )
    return make(corpus, wanted) if corpus else ""
