"""Gradio's server: its configuration, the files of its page, visitors' files, tracebacks."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import uvicorn
from gradio import http_server, networking, queueing, routes

LOCALHOST = http_server.LOCALHOST_NAME


def serve_through(page: gr.Blocks, configured: Callable[..., uvicorn.Config]) -> None:
    """Have this page, and no other, served with a configuration of our own, made of the app and
    what Gradio gives uvicorn's."""

    def config(app: Any, **given: Any) -> uvicorn.Config:
        own = app.get_blocks() is page
        return configured(app, **given) if own else uvicorn.Config(app=app, **given)

    # Gradio makes its server's configuration itself, by this name.
    _put(http_server, "uvicorn", SimpleNamespace(Config=config, Server=uvicorn.Server))
    # By then the server has answered Gradio once. Three seconds for the whole page, as Gradio
    # gives it, are too few on a busy machine, where nothing would start.
    _put(networking, "url_ok", lambda url: True)


def say_of_misfits(say: Callable[[], None]) -> None:
    """Have ``say`` called where Gradio would print a traceback, and in it what was sent, of a call
    that its components refuse.
    """
    for module in (queueing, routes):
        _put(module, "traceback", SimpleNamespace(print_exc=say))


def _put(module: Any, name: str, value: Any) -> None:
    if not hasattr(module, name):
        raise AttributeError(f"{module.__name__} of this Gradio has no {name}.")
    setattr(module, name, value)


def page_files() -> frozenset[str]:
    """The paths, on the page, of all files that Gradio's page is made of."""
    found = {"/theme.css"}
    roots = {"assets": "BUILD_PATH_LIB", "static": "STATIC_PATH_LIB"}
    for name, constant in roots.items():
        base = Path(str(getattr(routes, constant)))
        found |= {f"/{name}/{path.relative_to(base).as_posix()}" for path in base.rglob("*.*")}
    return frozenset(found)


def uploads(page: gr.Blocks) -> Path:
    """Where a served page puts visitors' files."""
    return Path(page.app.uploaded_file_dir)


def own_files(page: gr.Blocks) -> set[str]:
    """Files that the page itself shows."""
    return {path for one in page.blocks.values() for path in getattr(one, "keep_in_cache", ())}


def forget_missing(page: gr.Blocks) -> None:
    """Have the page forget visitors' files that are no more."""
    for known in page.temp_file_sets:
        known.difference_update([path for path in tuple(known) if not Path(path).exists()])
