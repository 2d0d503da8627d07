"""How much of the disk visitors' files may take: all together, from one address, and never the last
of it. What goes beyond is refused with a sentence before it is read.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path

from lmlab.errors import disk_error
from lmlab.hosting.asgi import App, Layer, Receive, Scope, Send, header, path_of, peer, refuse
from lmlab.hosting.guests import place
from lmlab.runs.room import free_disk
from lmlab.runs.store import size_of
from lmlab.settings import Settings

UPLOAD = "/gradio_api/upload"
ADDRESSES = 10_000  # whose uploads are remembered
FULL = 507  # Insufficient Storage
GB = 1e9


class Storage(Layer):
    """Refuses uploads that there is no room for by the settings; ``folder`` tells where visitors'
    files lie, ``now`` is a clock in seconds."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        folder: Callable[[], Path],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(app)
        self.settings = settings
        self.folder = folder
        self.now = now
        self._coming = 0
        self._sent: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST" or not path_of(scope).startswith(UPLOAD):
            await self.app(scope, receive, send)
            return
        said = header(scope, b"content-length")
        most = int(1e6 * self.settings.max_upload_mb)
        size = int(said) if said.isdecimal() and len(said) < 16 else most
        address = place(peer(scope))
        if why := await self._no_room(address, size):
            await refuse(send, FULL, why)
            return
        self._coming += size
        self._note(address, size)
        try:
            await self.app(scope, receive, send)
        except OSError as error:
            if (full := disk_error(error)) is None:
                raise
            await refuse(send, FULL, str(full))
        finally:
            self._coming -= size

    async def _no_room(self, address: str, size: int) -> str:
        """Why an upload is not taken; empty where it is."""
        settings = self.settings
        own, whole = settings.own_uploads_gb * GB, settings.uploads_gb * GB
        if self._of(address) + size > own:
            return (
                f"Files from your address may take {own / GB:.2g} GB here within "
                f"{settings.file_minutes:g} minutes, and do. Try again later."
            )
        folder = self.folder()
        taken = await asyncio.to_thread(size_of, folder)
        free = await asyncio.to_thread(free_disk, folder)
        if taken + self._coming + size > whole:
            return (
                f"The files of all visitors take the {whole / GB:.2g} GB that are set aside for "
                "them. Try again later."
            )
        if free - self._coming - size < settings.free_gb * GB:
            return "The disk is full. Try again later."
        return ""

    def _of(self, address: str) -> int:
        """Bytes that came from an address and may still be there."""
        sent = self._sent.get(address, ())
        since = self.now() - 60 * self.settings.file_minutes
        return sum(size for when, size in sent if when > since)

    def _note(self, address: str, size: int) -> None:
        sent = self._sent.setdefault(address, deque())
        self._sent.move_to_end(address)
        since = self.now() - 60 * self.settings.file_minutes
        while sent and sent[0][0] <= since:
            sent.popleft()
        sent.append((self.now(), size))
        while len(self._sent) > ADDRESSES:
            self._sent.popitem(last=False)
