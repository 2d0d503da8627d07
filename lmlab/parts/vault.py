"""Where what visitors' sessions keep lies: packed, a little of it in memory, the rest on the disk.

SQLite's temporary databases are just this: pages in a bounded cache, which spill into a file that
has no name, so that nothing is left of it whatever happens to the process.
"""

import pickle
import sqlite3
import threading
import weakref
from collections import deque
from typing import Any

from lmlab.errors import InputError

SMALL = 500  # bytes of what is kept as it is
LARGEST = 16_000_000  # bytes of one packed value: a table of 5 MB and 64 columns takes 8
CACHE = 32_000  # kB of memory


class Packed:
    """A value in the vault; it goes when the last one who holds this lets go.

    Attributes:
        n_bytes: packed.
    """

    def __init__(self, vault: "Vault", number: int, n_bytes: int) -> None:
        self._vault = vault
        self._number = number
        self.n_bytes = n_bytes
        weakref.finalize(self, vault.gone.append, number).atexit = False

    def open(self) -> Any:
        """The value, made anew each time."""
        return self._vault.get(self._number)


class Vault:
    """Values of all sessions. Safe for many threads."""

    def __init__(self) -> None:
        self.gone: deque[int] = deque()
        self._lock = threading.Lock()
        self._number = 0
        self._sizes: dict[int, int] = {}
        self._base = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        for setting in ("auto_vacuum = full", "journal_mode = off", f"cache_size = -{CACHE}"):
            self._base.execute(f"PRAGMA {setting}")
        self._base.execute("CREATE TABLE kept (number INTEGER PRIMARY KEY, value BLOB)")

    @property
    def n_bytes(self) -> int:
        """Bytes of all that is kept."""
        with self._lock:
            self._sweep()
            return sum(self._sizes.values())

    def pack(self, value: Any) -> Any:
        """A value as a session keeps it: as it is where it is small, else packed.

        Raises:
            InputError: it is too large, or the disk is full.
        """
        if isinstance(value, Packed | bool | int | float | None):
            return value
        try:
            data = pickle.dumps(value, protocol=5)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise TypeError(f"A session cannot keep {type(value).__name__}.") from error
        if len(data) <= SMALL:
            return value
        if len(data) > LARGEST:
            raise InputError(
                f"That takes {len(data) / 1e6:.0f} MB, and a page keeps at most "
                f"{LARGEST / 1e6:.0f} MB of one thing.",
                "Take a part of it.",
            )
        return self._put(data)

    def get(self, number: int) -> Any:
        """The value of a number."""
        with self._lock:
            row = self._base.execute("SELECT value FROM kept WHERE number = ?", (number,))
            (data,) = row.fetchone()
        # What this process packed itself: nobody else can write there.
        return pickle.loads(data)

    def _put(self, data: bytes) -> Packed:
        with self._lock:
            self._sweep()
            self._number += 1
            try:
                self._base.execute("INSERT INTO kept VALUES (?, ?)", (self._number, data))
            except sqlite3.OperationalError as error:
                raise InputError(
                    "This result cannot be kept: the server's disk is full.", "Try again later."
                ) from error
            self._sizes[self._number] = len(data)
            return Packed(self, self._number, len(data))

    def _sweep(self) -> None:
        """Delete what nobody holds; hold the lock."""
        while self.gone:
            number = self.gone.popleft()
            del self._sizes[number]
            self._base.execute("DELETE FROM kept WHERE number = ?", (number,))
