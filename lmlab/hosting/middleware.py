"""All that stands around the page's app, outermost first."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from starlette.middleware import Middleware

from lmlab.hosting.bodies import Bodies
from lmlab.hosting.guests import Beats, Guests
from lmlab.hosting.headers import SPACES, Headers
from lmlab.hosting.health import Health, vitals
from lmlab.hosting.logs import RequestLog
from lmlab.hosting.page_cache import Shelf, WebFiles
from lmlab.hosting.route_filter import Doors
from lmlab.hosting.storage import Storage
from lmlab.lab import Lab

# A multipart form is a little longer than the file in it.
AROUND = 65_536


def layers(
    lab: Lab,
    waiting: Callable[[], int],
    on_space: bool = False,
    guests: Guests | None = None,
    files: Callable[[], frozenset[str]] = frozenset,
    sent: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType({}),
    own: Mapping[str, bytes] = MappingProxyType({}),
    edition: Callable[[], int] = int,
    more: Sequence[Middleware] = (),
    signs_in: bool = False,
) -> list[Middleware]:
    """The layers around a page over a lab.

    Args:
        lab: what the page asks.
        waiting: tells how many requests are in the page's queue.
        on_space: whether this is a Space, whose page the Hub shows in a frame.
        signs_in: whether visitors sign in here.
        guests, files, sent, own, edition: see ``Beats``, ``Shelf`` and ``WebFiles``.
        more: layers behind the filter of routes and before all that is of Gradio's page.
    """
    settings = lab.settings
    framed_by = (*settings.framed_by, *(SPACES if on_space else ()))
    upload_bytes = int(settings.max_upload_mb * 1e6) + AROUND
    return [
        Middleware(RequestLog),
        Middleware(Headers, framed_by=framed_by),
        Middleware(Health, look=lambda: vitals(lab, waiting), metrics=settings.metrics),
        Middleware(Doors, uploads=settings.uploads, upload_bytes=upload_bytes, signs_in=signs_in),
        *more,
        Middleware(Storage, settings=settings, folder=_uploaded),
        Middleware(Bodies),
        Middleware(Beats, guests=guests or Guests()),
        Middleware(Shelf, files=files, sent=sent, edition=edition),
        Middleware(WebFiles, files=own),
    ]


def _uploaded() -> Path:
    """Where Gradio is told to put visitors' files."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir(), "gradio"))
