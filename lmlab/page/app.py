"""The page as a whole: the tabs in order, and how it is served."""

import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from lmlab.errors import InputError
from lmlab.features import Feature
from lmlab.features import features as known_features
from lmlab.hosting import logs
from lmlab.hosting.gate import Gate, site_of
from lmlab.hosting.guests import Guests
from lmlab.hosting.middleware import layers
from lmlab.hosting.sweep import every, sweep, sweep_zips
from lmlab.hosting.wire import careful_config
from lmlab.lab import Lab
from lmlab.page import theme
from lmlab.page.lecture import bar as lecture
from lmlab.page.lecture.stage import tabs_of
from lmlab.page.room.layer import room_layer
from lmlab.page.room.panel import RoomPanel
from lmlab.page.scenes import course
from lmlab.page.web_files import files, folder, links
from lmlab.parts.first_open import FirstAnswer
from lmlab.parts.gradio_compat import server
from lmlab.parts.gradio_compat.building import components, whence
from lmlab.parts.gradio_compat.handlers import put_between, set_events
from lmlab.parts.gradio_compat.later_tabs import defer, first_part, parts_of
from lmlab.parts.gradio_compat.programs import for_programs
from lmlab.parts.gradio_compat.queue import Lines, lines_of, put_lines
from lmlab.parts.gradio_compat.sessions import use_small_sessions
from lmlab.parts.pickers import about_models
from lmlab.parts.scripts import loads
from lmlab.parts.vault import Vault
from lmlab.parts.widgets import Strip
from lmlab.settings import Settings

SESSIONS = 300  # visitors whose last result is kept
OPENING = 60  # seconds that it may take until a page answers
AT_ONCE = ("parts/web/strip", "parts/web/keep", "page/header", "page/lecture/lecture", "page/page")
# Seconds after which a thread of Python lets another one in. A forward pass asks for its turn at
# each of hundreds of operations, and with the usual 5 ms one large table slows it down tenfold.
SWITCH = 0.0005
NEVER = 10**9  # seconds: Gradio removes its files at the end alone; see ``_forget``


def chosen(settings: Settings, names: Sequence[str] = ()) -> tuple[Feature, ...]:
    """The tabs by name, in the page's order; all where neither names nor the settings name one.

    Raises:
        InputError: there is no such tab, or what ``features`` raises.
    """
    found = known_features(settings.features)
    known, names = {one.name for one in found}, names or settings.tabs
    for name in names:
        if name not in known:
            raise InputError(
                f"There is no tab ‘{name}’.", f"There are: {', '.join(sorted(known))}."
            )
    return tuple(one for one in found if not names or one.name in names)


def build_page(lab: Lab, names: Sequence[str] = ()) -> gr.Blocks:
    """The page over a lab, of the tabs named, else of those of its settings; loads no model."""
    kept = int(60 * lab.settings.file_minutes)
    page = gr.Blocks(
        title="lmlab",
        fill_width=True,
        analytics_enabled=False,
        delete_cache=(NEVER, kept),
    )
    with page:
        theme.header()
        features = chosen(lab.settings, names)
        scenes = course.chosen(lab.settings.scenes, features)
        bar = lecture.Lecture([one.name for one in features])
        if lab.settings.rooms:
            RoomPanel(elem_id="room")
        with gr.Tabs():
            for one in features:
                with gr.Tab(one.title, id=one.title.lower()):
                    one.load(one.build)(lab)
        bar.wire(lab, page, scenes, features)
        theme.footer(about_models(lab))
    for tab in tabs_of(page)[1:]:
        defer(page, tab)
    put_lines(page, lab.settings.max_waiting, limit=4, guests=Guests())
    put_between(page, Vault())
    set_events(page)
    return page


def serve(
    page: gr.Blocks,
    lab: Lab,
    *,
    host: str | None = None,
    port: int | None = None,
    room_alone: bool = False,
    **options: Any,
) -> Any:
    """Answer requests until stopped; by default on this machine alone, on the next free port.
    ``room_alone``: other machines get the room and nothing else."""
    sys.setswitchinterval(SWITCH)
    server.say_of_misfits(logs.misfit)
    logs.calm()
    site = site_of(lab.settings, host or server.LOCALHOST, os.environ)

    def config(app: Any, **given: Any) -> Any:
        # The gate stands before all of Gradio's own, and connections are bounded.
        return careful_config(Gate(app, site), lab.settings.max_connections, **given)

    server.serve_through(page, config)
    _forget(page, lab)
    lines = lines_of(page)
    lab.jobs.ask_whence(whence)
    use_small_sessions(lines.guests)
    room = room_layer(lab, host or server.LOCALHOST, folder(), room_alone)
    around = _around(page, lab, lines, [room])
    return page.launch(
        app_kwargs={"middleware": around},
        server_name=host,
        server_port=port,
        theme=theme.theme(),
        js=f"() => {{ {loads('page/page')}; }}",
        footer_links=[],
        share=False,
        max_file_size=int(1e6 * lab.settings.max_upload_mb),
        state_session_capacity=SESSIONS,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        run_history=False,
        **options,
    )


def _around(
    page: gr.Blocks, lab: Lab, lines: Lines, more: Sequence[Middleware]
) -> list[Middleware]:
    """What stands around the page's own answers; ``more`` comes with it."""
    first = _first_answer(page)
    opens = partial(first_part, parts=parts_of(page), heads=links(AT_ONCE), values=first.values)
    own = {f"/{folder()}/{name}": text for name, text in files().items()}
    return layers(
        lab,
        lambda: len(lines),
        "SPACE_ID" in os.environ,
        lines.guests,
        lambda: server.page_files() | {*own},
        {"/": opens, "/config": for_programs},
        own,
        lambda: first.edition,
        more,
        bool(page.expects_oauth),
    )


def _first_answer(page: gr.Blocks) -> FirstAnswer:
    strips = (one for one in components(page) if isinstance(one, Strip))
    return next((one.first for one in strips if one.first), FirstAnswer((), {}))


def _forget(page: gr.Blocks, lab: Lab) -> None:
    """Have visitors' files and runs removed when their time is over.

    Gradio's own way of it ends for good when a file comes while it looks at those that there are.
    """
    seconds = 60 * lab.settings.file_minutes

    def work() -> None:
        sweep(server.uploads(page), seconds, server.own_files(page))
        sweep_zips(seconds)
        server.forget_missing(page)
        lab.store.runs.tidy(lab.settings.keep_days)

    began = time.monotonic()
    # A page that is being opened does not run yet.
    every(seconds, work, lambda: page.is_running or time.monotonic() - began < OPENING)


def launch(
    lab: Lab,
    host: str | None = None,
    port: int | None = None,
    tabs: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Build the page over a lab and serve it."""
    return serve(build_page(lab, tabs), lab, host=host, port=port, **options)
