"""The page as a whole: the tabs in order, and how it is served."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr

from lmlab.lab import Lab
from lmlab.ui import about
from lmlab.ui.change import tab as change
from lmlab.ui.compare import tab as compare
from lmlab.ui.completion import tab as completion
from lmlab.ui.likelihood import tab as likelihood
from lmlab.ui.parts import look
from lmlab.ui.parts.scripts import style
from lmlab.ui.prompt import tab as prompt
from lmlab.ui.scale import tab as scale
from lmlab.ui.tuning import tab as tuning

WAITING = 64  # visitors in line before new ones are told to come back
SESSIONS = 300  # visitors whose last result is kept
CLEAN_UP = (600, 3600)  # seconds: how often, and from which age on, files of visitors are deleted


class Tab(NamedTuple):
    """A tab's name and what draws it."""

    name: str
    build: Callable[[Lab], None]


TABS = (
    Tab(likelihood.NAME, likelihood.build),
    Tab(completion.NAME, completion.build),
    Tab(compare.NAME, compare.build),
    Tab(prompt.NAME, prompt.build),
    Tab(tuning.NAME, tuning.build),
    Tab(change.NAME, change.build),
    Tab(scale.NAME, scale.build),
    Tab(about.NAME, about.build),
)


def build_page(lab: Lab) -> gr.Blocks:
    """The page over a lab; loads no model."""
    with gr.Blocks(
        title="lmlab", fill_width=True, analytics_enabled=False, delete_cache=CLEAN_UP
    ) as page:
        look.header()
        with gr.Tabs():
            for tab in TABS:
                with gr.Tab(tab.name, id=tab.name.lower()):
                    tab.build(lab)
        look.footer()
    page.queue(max_size=WAITING, default_concurrency_limit=4)
    return page


def serve(
    page: gr.Blocks, *, host: str | None = None, port: int | None = None, **options: Any
) -> Any:
    """Answer requests until stopped; by default on this machine alone, on the next free port."""
    return page.launch(
        server_name=host,
        server_port=port,
        theme=look.theme(),
        css=style(),
        js=look.page_script(),
        footer_links=[],
        share=False,
        max_file_size="2mb",
        state_session_capacity=SESSIONS,
        **options,
    )


def launch(lab: Lab, host: str | None = None, port: int | None = None, **options: Any) -> Any:
    """Build the page over a lab and serve it."""
    return serve(build_page(lab), host=host, port=port, **options)
