"""How the page looks: theme, header, footer. Fonts are those that come with Gradio."""

import gradio as gr

from lmlab.ui.parts.scripts import script
from lmlab.ui.parts.widgets import static

HEADER = """
<header class="lm-header"><h1>lmlab</h1><span class="tag">see what a language model expects</span>
<span class="space"></span>
<button type="button" class="lm-lecturer" title="The lecture, scene by scene">Lecture</button>
<button type="button" class="lm-link" title="Copy a link to what this tab shows">Link</button>
<button type="button" class="lm-projector" aria-pressed="false"
 aria-label="Projector mode: larger text" title="Larger, for a projector">Aa</button>
<button type="button" class="lm-theme" aria-pressed="false" aria-label="Dark colours"
 title="Light or dark">◐</button></header>
"""
FOOTER = """
<footer class="lm-footer">Computed on the machine that this page came from; nothing
goes anywhere else. <span><kbd>Ctrl</kbd> + <kbd>Enter</kbd> scores</span>
<span><kbd>←</kbd> <kbd>→</kbd> walk the tokens</span></footer>
"""


def header() -> None:
    """Name, line, and the two switches."""
    gr.HTML(HEADER, js_on_load=script("header"), apply_default_css=False, elem_id="lm-header")


def footer() -> None:
    """One line at the end."""
    static(FOOTER)


def page_script() -> str:
    """What runs once, as the function that Gradio calls."""
    return f"() => {{\n{script('page')}\n}}"


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
    return soft.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="#0b1020",
        body_text_color_subdued="#566078",
        body_text_color_subdued_dark="#a4adc2",
        block_background_fill_dark="#131a2e",
        block_border_color_dark="#2a3555",
        border_color_primary_dark="#2a3555",
        input_background_fill_dark="#0f1528",
        block_border_width="1px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_title_background_fill="transparent",
        block_title_text_color="*body_text_color_subdued",
        block_title_padding="0",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
    )
