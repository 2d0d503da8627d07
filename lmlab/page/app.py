"""The page as a whole: the tabs in order, and how it is served."""

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import uvicorn
from gradio import http_server, queueing, routes
from starlette.middleware import Middleware

from lmlab.errors import InputError
from lmlab.features import Feature, features
from lmlab.hosting import logs
from lmlab.hosting.gate import Gate, site_of
from lmlab.hosting.guests import Guests
from lmlab.hosting.middleware import layers
from lmlab.hosting.sweep import every, sweep, sweep_zips
from lmlab.hosting.wire import careful_config
from lmlab.lab import Lab
from lmlab.page import theme
from lmlab.page.lecture import bar as lecture
from lmlab.page.lecture.stage import outer
from lmlab.page.scenes.course import course, shipped
from lmlab.parts.fair_queue import put_lines, whence
from lmlab.parts.later_tabs import defer, first_part, parts_of
from lmlab.parts.packed_state import put_between
from lmlab.parts.scripts import files, folder, links, loads
from lmlab.parts.sessions import use_small_sessions
from lmlab.parts.vault import Vault
from lmlab.settings import Settings

SESSIONS = 300  # visitors whose last result is kept
OPENING = 60  # seconds that it may take until a page answers
AT_ONCE = ("parts/web/strip", "parts/web/keep", "page/header", "page/lecture/lecture", "page/page")
NEVER = 10**9  # seconds: Gradio removes its files at the end alone; see ``_forget``


def chosen(settings: Settings, names: Sequence[str] = ()) -> tuple[Feature, ...]:
    """The tabs by name, in the page's order; all where neither names nor the settings name one.

    Raises:
        InputError: there is no such tab, or what ``features`` raises.
    """
    found = features(settings.features)
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
    with gr.Blocks(
        title="lmlab",
        fill_width=True,
        analytics_enabled=False,
        delete_cache=(NEVER, kept),
    ) as page:
        theme.header()
        tabs = chosen(lab.settings, names)
        scenes = course(lab.settings.scenes) if lab.settings.scenes else shipped(tabs)
        bar = lecture.build([tab.name for tab in tabs])
        with gr.Tabs():
            for tab in tabs:
                with gr.Tab(tab.title, id=tab.title.lower()):
                    tab.load(tab.build)(lab)
        lecture.wire(lab, page, bar, scenes, tabs)
        theme.footer()
    defer(page, outer(page).children[1:])
    put_lines(page, lab.settings.max_waiting, limit=4, guests=Guests())
    put_between(page, Vault())
    _set_events(page)
    return page


def _set_events(page: gr.Blocks) -> None:
    """What holds for every event of the page.

    Gradio's own signs of progress go nowhere, the tabs show theirs: the browser would else hand
    each sign to every component that any event ever had as an output, and copy each one's value
    for it: seconds, once some tabs are open. And a preview of what was chosen is asked for anew
    where one is on its way: dropped, as a second click is, the page would show what held before.
    """
    for event in page.fns.values():
        event.show_progress_on = []
        clicked = any(name in ("click", "select") for _, name in event.targets)
        if event.concurrency_id == "preview" and event.trigger_mode == "once" and not clicked:
            event.trigger_mode = "always_last"


def serve(
    page: gr.Blocks, lab: Lab, *, host: str | None = None, port: int | None = None, **options: Any
) -> Any:
    """Answer requests until stopped; by default on this machine alone, on the next free port."""
    _log_misfits()
    logs.calm()
    _stand_before(page, lab, host or http_server.LOCALHOST_NAME)
    _forget(page, lab)
    lines: Any = page._queue
    lab.jobs.ask_whence(whence)
    use_small_sessions(lines.guests)
    on_space = "SPACE_ID" in os.environ
    sent = partial(first_part, parts=parts_of(page), heads=links(AT_ONCE))
    own = own_files()
    around = layers(
        lab, lambda: len(lines), on_space, lines.guests, lambda: page_files() | {*own}, sent, own
    )
    middleware = [Middleware(layer, **arguments) for layer, arguments in around]
    return page.launch(
        app_kwargs={"middleware": middleware},
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


def _stand_before(page: gr.Blocks, lab: Lab, bound: str) -> None:
    """Have the gate stand before all of Gradio's own, and connections bounded."""
    site = site_of(lab.settings, bound, os.environ)

    def config(app: Any, **given: Any) -> Any:
        if app.get_blocks() is not page:
            return uvicorn.Config(app=app, **given)
        return careful_config(Gate(app, site), lab.settings.max_connections, **given)

    # Gradio makes its server's configuration itself, by this name.
    http_server.uvicorn = SimpleNamespace(Config=config, Server=uvicorn.Server)


def own_files() -> Mapping[str, bytes]:
    """The page's own files, by their path on it."""
    return {f"/{folder()}/{name}": text for name, text in files().items()}


def page_files() -> frozenset[str]:
    """The paths, on the page, of all files that Gradio's page is made of."""
    found = {"/theme.css"}
    for name, root in (("assets", routes.BUILD_PATH_LIB), ("static", routes.STATIC_PATH_LIB)):
        base = Path(str(root))
        found |= {f"/{name}/{path.relative_to(base).as_posix()}" for path in base.rglob("*.*")}
    return frozenset(found)


def _forget(page: gr.Blocks, lab: Lab) -> None:
    """Have visitors' files and runs removed when their time is over.

    Gradio's own way of it ends for good when a file comes while it looks at those that there are.
    """
    seconds = 60 * lab.settings.file_minutes

    def work() -> None:
        blocks = page.blocks.values()
        keep = {path for one in blocks for path in getattr(one, "keep_in_cache", ())}
        sweep(Path(page.app.uploaded_file_dir), seconds, keep)
        sweep_zips(seconds)
        for known in page.temp_file_sets:
            known.difference_update([path for path in tuple(known) if not Path(path).exists()])
        lab.store.runs.tidy(lab.settings.keep_days)

    began = time.monotonic()
    # A page that is being opened does not run yet.
    every(seconds, work, lambda: page.is_running or time.monotonic() - began < OPENING)


def _log_misfits() -> None:
    """Gradio prints a traceback, and in it what was sent, of a call that its components refuse: one
    line of the log stands for it.
    """
    said = SimpleNamespace(print_exc=logs.misfit)
    for module in (queueing, routes):
        module.traceback = said


def launch(
    lab: Lab,
    host: str | None = None,
    port: int | None = None,
    tabs: Sequence[str] = (),
    **options: Any,
) -> Any:
    """Build the page over a lab and serve it."""
    return serve(build_page(lab, tabs), lab, host=host, port=port, **options)
