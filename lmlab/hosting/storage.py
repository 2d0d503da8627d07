"""How much of the disk visitors' files may take: all together, from one address, and never the last
of it. What goes beyond is refused with a sentence before it is read.
"""

import asyncio
import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lmlab.errors import disk_error
from lmlab.hosting.asgi import App, Receive, Scope, Send, header, path_of, refuse
from lmlab.runs.room import free_disk
from lmlab.runs.store import size_of
from lmlab.settings import Settings

UPLOAD = "/gradio_api/upload"
ADDRESSES = 10_000  # whose uploads are remembered
FULL = 507  # Insufficient Storage
GB = 1e9


class Storage:
    """Refuses uploads that there is no room for.

    Args:
        app: what answers.
        settings: the totals, and how long a file stays.
        folder: tells where visitors' files lie.
        now: a clock in seconds.
    """

    def __init__(
        self,
        app: App,
        settings: Settings,
        folder: Callable[[], Path],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.settings = settings
        self.folder = folder
        self.now = now
        self._coming = 0
        self._sent: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope)
        if scope["type"] != "http" or scope["method"] != "POST" or not path.startswith(UPLOAD):
            await self.app(scope, receive, send)
            return
        said = header(scope, b"content-length")
        most = int(1e6 * self.settings.max_upload_mb)
        size = int(said) if said.isdecimal() and len(said) < 16 else most
        address = address_of(scope)
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
        taken, free = await asyncio.to_thread(_taken, self.folder())
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


def address_of(scope: Scope) -> str:
    """Who asks; of the newer kind of address the part that one customer has.

    >>> address_of({"client": ("2001:db8:1:2:3:4:5:6", 1)}), address_of({"client": None})
    ('2001:db8:1:2::', '')
    """
    name = str((scope.get("client") or ("",))[0])
    with suppress(ValueError):
        found = ipaddress.ip_address(name)
        if found.version == 6:
            return str(ipaddress.ip_network((int(found), 64), strict=False).network_address)
    return name


def _taken(folder: Path) -> tuple[int, int]:
    """Bytes below a folder, and bytes that are free where it lies or would lie."""
    return size_of(folder), free_disk(folder)
