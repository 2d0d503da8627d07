"""How the page looks: theme, header, footer. Fonts are those that come with Gradio."""

import gradio as gr

from lmlab.parts.scripts import mounts
from lmlab.parts.widgets import static

HEADER = """
<header class="lm-header"><h1>lmlab</h1><span class="tag">see what a language model expects</span>
<span class="space"></span>
<button type="button" class="lm-lecturer" title="The lecture, scene by scene">Lecture</button>
<button type="button" class="lm-link" title="Copy a link to what this tab shows">Link</button>
<button type="button" class="lm-reporter" title="Save what this page has shown, receipts with it, as
 one file of HTML">Report</button>
<button type="button" class="lm-projector" aria-pressed="false"
 aria-label="Projector mode: larger text" title="Larger, for a projector">Aa</button>
<button type="button" class="lm-theme" aria-pressed="false" aria-label="Dark colours"
 title="Light or dark">◐</button></header>
<section class="lm-welcome" aria-label="Welcome" hidden>
<p><b>Watch language models at work.</b> Small ones run right here: they give every token of a text
a probability, and all that you see is computed from it, live.</p>
<button type="button" class="lm-begin">Start the lecture</button>
<button type="button" class="lm-known" aria-label="Close this line" title="Close">×</button>
</section>
"""
FOOTER = """
<footer class="lm-footer">Computed on the machine that this page came from; nothing
goes anywhere else. <span><kbd>Ctrl</kbd> + <kbd>Enter</kbd> scores</span>
<span><kbd>←</kbd> <kbd>→</kbd> walk the tokens</span></footer>
"""


def header() -> None:
    """Name, line, the switches, and a word of welcome at the first visit."""
    gr.HTML(HEADER, js_on_load=mounts("page/header"), apply_default_css=False, elem_id="lm-header")


def footer(styles: str = "") -> None:
    """One line at the end, and style sheets of this page's own."""
    static(FOOTER + styles)


SURFACES = {
    "body_background_fill": "*neutral_50",
    "body_background_fill_dark": "#0b1020",
    "body_text_color_subdued": "#566078",
    "body_text_color_subdued_dark": "#a4adc2",
    "block_background_fill_dark": "#131a2e",
    "block_border_color_dark": "#2a3555",
    "border_color_primary_dark": "#2a3555",
    "input_background_fill_dark": "#0f1528",
    # The edge of what can be filled in or ticked: 3 : 1 against what is around it.
    "input_border_width": "1px",
    "input_border_color": "#8a94ab",
    "input_border_color_dark": "#5f6c90",
    "input_border_color_focus": "*primary_600",
    "input_border_color_focus_dark": "*primary_400",
    "input_shadow": "none",
    "input_radius": "8px",
    "block_radius": "10px",
    "container_radius": "10px",
    "input_placeholder_color": "#667085",
    "input_placeholder_color_dark": "#8c97b2",
    "checkbox_border_color": "#8a94ab",
    "checkbox_border_color_dark": "#7583a8",
    "checkbox_label_shadow": "none",
    "checkbox_label_border_color": "#d5dae5",
    "checkbox_label_border_color_dark": "#2a3555",
    "checkbox_label_background_fill_selected": "*primary_600",
    "checkbox_label_border_color_selected": "*primary_600",
    "slider_color": "*primary_600",
    "block_border_width": "1px",
    "block_shadow": "none",
    "block_label_background_fill": "transparent",
    "block_title_background_fill": "transparent",
    "block_title_text_color": "*body_text_color_subdued",
    "block_title_padding": "0",
    "button_primary_background_fill": "*primary_600",
    "button_primary_background_fill_hover": "*primary_700",
    "button_primary_background_fill_dark": "*primary_600",
    "button_primary_background_fill_hover_dark": "*primary_500",
}


def theme() -> gr.themes.Base:
    """One accent, quiet surfaces, shipped fonts in the weights that have all glyphs."""
    sans = gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700))
    mono = gr.themes.LocalFont("IBM Plex Mono", weights=(400, 700))
    soft = gr.themes.Soft(
        primary_hue="indigo",
        secondary_hue="indigo",
        neutral_hue="slate",
        radius_size="lg",
        text_size="md",
        font=[sans, "system-ui", "sans-serif"],
        font_mono=[mono, "ui-monospace", "monospace"],
    )
    return soft.set(**SURFACES)
