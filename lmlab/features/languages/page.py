"""The Languages tab: sentences through tokenizers, and what each costs."""

from collections.abc import Callable

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.languages import views
from lmlab.features.languages.counted import BYTES, Counted, lines, parse, shipped
from lmlab.features.languages.service import MOST_TOKENIZERS, Languages
from lmlab.lab import Lab
from lmlab.models.backends import lacking
from lmlab.models.gives import WEIGHTS
from lmlab.parts.pickers import NAMES_MODELS, model_picker
from lmlab.parts.receipt_button import Keep, Note
from lmlab.parts.saving import Saver
from lmlab.parts.stream import SCORING, Busy, Line, Work
from lmlab.parts.widgets import chart, static
from lmlab.progress import Loading, Progress

NONE = "none"
EMPTY = (
    '<div class="lm-empty"><b>Nothing counted yet</b>Press Count. The first sentence is what the '
    "others are compared with.</div>"
)


def build(lab: Lab) -> None:
    """Draw the tab inside the current Blocks and wire it to the lab."""
    text = gr.Textbox(
        lines(shipped()), label="Sentences", info="one a line: NAME: SENTENCE", lines=6,
        max_lines=12, elem_id="languages-text",
    )  # fmt: skip
    with gr.Row(elem_classes="lm-inputs"):
        tokenizers = _tokenizers(lab)
        scored = [name for name in lab.model_names() if not lacking(name, frozenset({"scores"}))]
        model = model_picker(
            lab, "languages-model", "Bits per byte by", choices=[NONE, *scored], value=NONE,
            min_width=160,
        )  # fmt: skip
    with gr.Row(elem_classes="lm-countbar"):
        go = gr.Button("Count", variant="primary", elem_id="languages-go", elem_classes="lm-go")
        stop = gr.Button("Stop", interactive=False, elem_id="languages-stop")
        saver = Saver("languages-csv")
        status = static("", elem_id="languages-status", elem_classes="lm-status")
    kept = gr.State(())
    keep = Keep("languages", ("languages-table", "languages-prices"))
    with gr.Column(elem_classes="lm-panel"):
        static('<h2 class="lm-h">Price: tokens against the first sentence’s</h2>')
        figure = chart(views.prices(()), "languages-prices")
    table = static(EMPTY, elem_id="languages-table")
    line = Line(status, stop, keep)
    outputs = {"table": table, "figure": figure, "kept": kept}
    line.on(
        go.click, asker(lab), [text, tokenizers, model], outputs, trigger_mode="once", **SCORING
    )
    keep.notes(note, [kept])
    saver.gives("languages.csv", views.to_csv, kept, hint="Press Count first.")
    line.stoppable()


def _tokenizers(lab: Lab) -> gr.Dropdown:
    free = lab.settings.any_model or lab.settings.allow_local
    names = [name for name in lab.model_names() if not lacking(name, WEIGHTS) and "+" not in name]
    first = [one for one in (lab.settings.model, *names) if one in names][:1]
    return gr.Dropdown(
        [BYTES, *names], value=[*first, BYTES], label="Tokenizers", multiselect=True,
        max_choices=MOST_TOKENIZERS, allow_custom_value=free, elem_id="languages-tokenizers",
        info="of a Hub id the tokenizer alone is fetched" if lab.settings.any_model else None,
        elem_classes=NAMES_MODELS, scale=2, min_width=260,
    )  # fmt: skip


def asker(lab: Lab) -> Callable[..., Work]:
    """The handler: counts, tokenizer by tokenizer."""

    def ask(text: str, tokenizers: list[str] | None, model: str | None) -> Work:
        sentences, found = parse(text or ""), list[Counted]()
        if not all(isinstance(one, str) for one in tokenizers or []):
            raise InputError("Those are no names of tokenizers.")
        scorer = "" if model in (None, "", NONE) else str(model)
        for event in lab.service(Languages).count(tokenizers or [], sentences, scorer):
            if isinstance(event, Loading):
                yield event
            elif isinstance(event, Progress):
                yield Busy(
                    f"{scorer}: {event.done} of {event.total} sentences", event.done / event.total
                )
            else:
                found.append(event)
        return {
            "table": views.table(found),
            "figure": views.prices(found),
            "kept": tuple(found),
        }

    return ask


def note(found: tuple[Counted, ...]) -> Note | None:
    """Title and receipt of what was counted."""
    if not found:
        return None
    names = ", ".join(one.tokenizer for one in found)
    title = f"{len(found[0].rows)} sentences through {names}"
    return Note("languages", title, lambda: views.receipt(found))
