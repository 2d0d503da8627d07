"""The room's routes as a layer around the page, before all of Gradio's own."""

import re
from functools import partial

from starlette.middleware import Middleware

from lmlab.hosting.asgi import App, Layer, Receive, Scope, Send, path_of, peer, refuse
from lmlab.hosting.gate import OWN_NAMES
from lmlab.lab import Lab
from lmlab.page.room.game import prepared
from lmlab.page.room.rooms import Rooms
from lmlab.page.room.routes import Served
from lmlab.page.room.store import Store
from lmlab.parts.html import filled


class RoomRoutes(Layer):
    """Answers below ``/room``, and hands all else on.

    ``served`` is None where no rooms may be opened. ``alone``: whether others than this machine get
    the room and its files, and nothing else of the page.
    """

    def __init__(self, app: App, served: App | None = None, alone: bool = False) -> None:
        super().__init__(app)
        self.served = served
        self.alone = alone

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope)
        if path == "/room" or path.startswith("/room/"):
            if self.served is None:
                await refuse(send, 404, "There are no rooms here.")
            else:
                # Starlette's routes begin below the place that the page is mounted at.
                await self.served(scope, receive, send)
        elif self.alone and peer(scope) not in OWN_NAMES and not _FILES.fullmatch(path):
            await refuse(send, 404, "Only the room is open to others; go to /room/.")
        else:
            await self.app(scope, receive, send)


_FILES = re.compile(
    r"/web/[0-9a-f]+/(page/room/(phone|votes|game)|parts/web/dom)\.js|/(health|favicon\.ico)"
)


def room_layer(lab: Lab, bound: str, files: str, alone: bool = False) -> Middleware:
    """The layer over a lab's rooms, which lie beside its runs; ``files`` is where the page's own
    modules are served."""
    served = None
    if lab.settings.rooms:
        rooms = Rooms(Store(lab.store.runs.root / "rooms.sqlite"), linked=not alone)
        page = filled("page/room/phone", folder=files)
        served = Served(rooms, page, bound, partial(prepared, lab)).app()
    return Middleware(RoomRoutes, served=served, alone=alone)
