"""One file of the Hub at a time: goes on where it was cut, also in a later process, and is kept
only where its sum is the one that the Hub tells.
"""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from huggingface_hub import constants, get_session
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import WeakFileLock, hf_raise_for_status  # type: ignore[attr-defined]

from lmlab.errors import ModelError, disk_error
from lmlab.models.wanted import HubFile

TRIES = 5  # in a row that bring nothing
PULSE = 1.0  # seconds between two words about a download
PAUSE = 1.0  # seconds before the second one; then twice as long each time
TRANSIENT = (408, 429, 500, 502, 503, 504)  # states of a server that pass

Come = Callable[[int], None]  # so many more bytes are here; fewer where some were thrown away


def told(name: str, here: int, size: int, say: Callable[[str], None]) -> Come:
    """What takes the bytes that come, and says now and then how much is here, how fast it comes,
    and how long the rest takes; what lay there before is no speed.
    """
    began = last = time.monotonic()
    come = 0

    def tell(more: int) -> None:
        nonlocal come, last
        come += more
        now = time.monotonic()
        if now - last < PULSE or come <= 0:
            return
        last, have, speed = now, min(here + come, size), come / (now - began)
        say(
            f"Fetching {name}: {have / 1e6:,.0f} of {size / 1e6:,.0f} MB, "
            f"{speed / 1e6:,.1f} MB/s, about {(size - have) / speed:,.0f} s left …"
        )

    return tell


def bring(file: HubFile, url: str, headers: Mapping[str, str], blobs: Path, come: Come) -> None:
    """Have a file in a cache's folder of blobs; two who want the same one wait for each other.

    Raises:
        ModelError: what came is not what the Hub says it is, twice.
        DiskError: it cannot be written.
        Exception: of the transport, after some tries that brought nothing.
    """
    lock = blobs.parent.parent / ".locks" / blobs.parent.name / f"{file.sum}.lock"
    try:
        for folder in (blobs, lock.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if not (blobs / file.sum).exists():
                _bring(file, url, headers, blobs, come)
    except OSError as error:
        if (said := disk_error(error, "what came is kept")) is not None:
            raise said from None
        raise


def _bring(file: HubFile, url: str, headers: Mapping[str, str], blobs: Path, come: Come) -> None:
    part = file.part(blobs)
    if part.is_file() and part.stat().st_size > file.size:
        part.unlink()
    resumed = part.is_file()
    _fill(file, part, url, headers, come)
    if _sum_of(part, file.sum) != file.sum:
        come(-file.size)
        part.unlink()
        if resumed:  # the beginning may have been another file's
            return _bring(file, url, headers, blobs, come)
        raise ModelError(
            f"What came as ‘{file.path}’ is not what the Hub says it is: its sum is another one.",
            "Try again; if it stays so, something between here and the Hub changes files.",
        )
    part.replace(blobs / file.sum)
    return None


def _fill(file: HubFile, part: Path, url: str, headers: Mapping[str, str], come: Come) -> None:
    """Ask for the rest until the part is whole."""
    tries = 0  # in a row that brought nothing
    part.touch()
    while (have := part.stat().st_size) < file.size:
        failed: Exception = ModelError(
            f"The Hub sends nothing more of ‘{file.path}’.", "Try again."
        )
        try:
            _ask(part, url, headers, have, come)
        except HfHubHTTPError as error:
            if error.response.status_code not in TRANSIENT:
                raise
            failed = error
        except OSError:
            raise
        except Exception as error:
            # Of the transport: huggingface_hub has changed its HTTP library more than once.
            failed = error
        tries = 0 if part.stat().st_size > have else tries + 1
        if tries >= TRIES:
            raise failed
        time.sleep(PAUSE * 2**tries if tries else 0)


def _ask(part: Path, url: str, headers: Mapping[str, str], have: int, come: Come) -> None:
    """Append what one answer brings to the part."""
    # As it lies there: a range of a packed stream would be another one's.
    asked = {**headers, "Accept-Encoding": "identity"}
    if have:
        asked["Range"] = f"bytes={have}-"
    seconds = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=asked, timeout=seconds) as answer:
        hf_raise_for_status(answer)
        with part.open("r+b") as out:
            if answer.status_code == 206:
                out.seek(have)
            else:  # all of it, though a part was asked for
                come(-have)
                out.truncate(0)
            for some in answer.iter_bytes():
                out.write(some)
                come(len(some))


def _sum_of(file: Path, like: str) -> str:
    """SHA-256, or git's sum of a blob, whichever is as long as a sum."""
    sums = hashlib.sha256() if len(like) == 64 else hashlib.sha1(usedforsecurity=False)
    if len(like) == 40:
        sums.update(b"blob %d\0" % os.path.getsize(file))
    with file.open("rb") as opened:
        while some := opened.read(1 << 20):
            sums.update(some)
    return sums.hexdigest()
