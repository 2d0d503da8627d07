"""Rooms on disk: SQLite, each answer written before it is acknowledged, so that a restart loses
none. Nothing in it tells who answered: phones are numbers drawn by chance, and no time is kept.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lmlab.errors import DiskError

Value = float | str
SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS rooms (
    code TEXT PRIMARY KEY, secret TEXT NOT NULL, seconds REAL NOT NULL,
    scene TEXT NOT NULL DEFAULT '{}', question INTEGER, game TEXT NOT NULL DEFAULT 'null'
);
CREATE TABLE IF NOT EXISTS phones (
    room TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE, phone TEXT NOT NULL,
    PRIMARY KEY (room, phone)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS questions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, room TEXT NOT NULL REFERENCES rooms ON DELETE CASCADE,
    scene TEXT NOT NULL, asked TEXT NOT NULL, round INTEGER NOT NULL DEFAULT 1,
    phase TEXT NOT NULL DEFAULT 'open', truth REAL, UNIQUE (room, scene, asked)
);
CREATE TABLE IF NOT EXISTS answers (
    question INTEGER NOT NULL REFERENCES questions ON DELETE CASCADE, round INTEGER NOT NULL,
    phone TEXT NOT NULL, value NOT NULL, PRIMARY KEY (question, round, phone)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Room:
    """A room as it is kept."""

    code: str
    secret: str  # of the lecturer, as a sum that it cannot be had from
    scene: dict[str, Any]  # what is shown; empty before the first scene
    question: int | None  # the one that is asked now
    game: dict[str, Any] | None = None  # the text that is guessed; see ``game.prepared``


@dataclass(frozen=True)
class Asked:
    """A question as a room was asked it."""

    id: int
    scene: str  # its name
    asked: dict[str, Any]  # as the scene's file had it
    round: int  # the vote, from 1
    phase: str  # open, closed, shown, revealed
    truth: float | None


class Store:
    """The rooms of one file; used from one thread at a time.

    Every method raises DiskError where the file cannot be read or written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        made = sqlite3.connect(self.file, check_same_thread=False, isolation_level=None)
        made.executescript(SCHEMA)
        return made

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except (OSError, sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            raise DiskError(
                f"The room cannot be written to disk: {error}.", "Ask whoever runs this page."
            ) from None

    def _ask(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        with self._cursor() as cursor:
            return cursor.execute(query, given).fetchall()

    def open(self, code: str, secret: str, seconds: float) -> bool:
        """Keep a new room; False where the code is taken."""
        query = "INSERT OR IGNORE INTO rooms (code, secret, seconds) VALUES (?, ?, ?) RETURNING 1"
        return bool(self._ask(query, code, secret, seconds))

    def room(self, code: str) -> Room | None:
        """A room by its code."""
        names = "code, secret, scene, question, game"
        found = self._ask(f"SELECT {names} FROM rooms WHERE code = ?", code)
        return next((Room(a, b, json.loads(c), d, json.loads(e)) for a, b, c, d, e in found), None)

    def rooms(self) -> int:
        """How many there are."""
        return int(self._ask("SELECT count(*) FROM rooms")[0][0])

    def end(self, code: str) -> None:
        """Forget a room and all of its answers."""
        self._ask("DELETE FROM rooms WHERE code = ?", code)

    def pass_by(self, seconds: float) -> list[str]:
        """Take so many seconds from the time of all rooms; the codes of those that this ends."""
        self._ask("UPDATE rooms SET seconds = seconds - ?", seconds)
        return [
            code for (code,) in self._ask("DELETE FROM rooms WHERE seconds <= 0 RETURNING code")
        ]

    def join(self, code: str, phone: str) -> None:
        """Let a phone in."""
        self._ask("INSERT OR IGNORE INTO phones VALUES (?, ?)", code, phone)

    def has(self, code: str, phone: str) -> bool:
        """Whether a phone was let in."""
        return bool(self._ask("SELECT 1 FROM phones WHERE room = ? AND phone = ?", code, phone))

    def phones(self, code: str) -> int:
        """How many were let in."""
        return int(self._ask("SELECT count(*) FROM phones WHERE room = ?", code)[0][0])

    def play(self, code: str, game: dict[str, Any]) -> None:
        """Keep a text that a room guesses, in place of the last one."""
        self._ask("UPDATE rooms SET game = ? WHERE code = ?", json.dumps(game), code)

    def show(self, code: str, scene: dict[str, Any], asked: dict[str, Any] | None) -> None:
        """What a room is shown, and what it is asked then. A scene that comes again finds its
        answers, unless its question has become another."""
        question = None
        if asked is not None:
            key = (code, scene["name"], json.dumps(asked, sort_keys=True))
            self._ask("INSERT OR IGNORE INTO questions (room, scene, asked) VALUES (?, ?, ?)", *key)
            where = "WHERE room = ? AND scene = ? AND asked = ?"
            question = self._ask(f"SELECT id FROM questions {where}", *key)[0][0]
        query = "UPDATE rooms SET scene = ?, question = ? WHERE code = ?"
        self._ask(query, json.dumps(scene), question, code)

    def questions(self, code: str) -> list[Asked]:
        """All that a room was asked, in the order of asking."""
        names = "id, scene, asked, round, phase, truth"
        found = self._ask(f"SELECT {names} FROM questions WHERE room = ? ORDER BY id", code)
        return [Asked(a, b, json.loads(c), *rest) for a, b, c, *rest in found]

    def question(self, number: int) -> Asked:
        """One that was asked, by its number."""
        query = "SELECT id, scene, asked, round, phase, truth FROM questions WHERE id = ?"
        a, b, c, *rest = self._ask(query, number)[0]
        return Asked(a, b, json.loads(c), *rest)

    def turn(self, number: int, round_: int, phase: str, truth: float | None) -> None:
        """Where a question stands; a truth that was said stays."""
        query = "UPDATE questions SET round = ?, phase = ?, truth = coalesce(?, truth) WHERE id = ?"
        self._ask(query, round_, phase, truth, number)

    def answer(self, number: int, round_: int, phone: str, value: Value) -> None:
        """A phone's answer, in place of the one that it gave in this vote before."""
        query = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)"
        self._ask(query, number, round_, phone, value)

    def answered(self, number: int, round_: int, phone: str) -> Value | None:
        """What a phone answered; None where it did not."""
        query = "SELECT value FROM answers WHERE question = ? AND round = ? AND phone = ?"
        return next((value for (value,) in self._ask(query, number, round_, phone)), None)

    def count(self, number: int, round_: int) -> int:
        """How many have answered."""
        query = "SELECT count(*) FROM answers WHERE question = ? AND round = ?"
        return int(self._ask(query, number, round_)[0][0])

    def answers(self, number: int, round_: int) -> list[Any]:
        """All answers of a vote, by size: their order tells nothing of who gave them."""
        query = "SELECT value FROM answers WHERE question = ? AND round = ? ORDER BY value"
        return [value for (value,) in self._ask(query, number, round_)]

    def close(self) -> None:
        """Close the file."""
        if "_connection" in self.__dict__:
            self._connection.close()
            del self.__dict__["_connection"]
