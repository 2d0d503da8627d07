"""What a room is asked: to open, to let a phone in, to take its answer, to go on. What everybody
may see of it holds no tally before the lecturer has it shown.
"""

import asyncio
import hashlib
import math
import secrets
import time
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from lmlab.errors import InputError
from lmlab.page.room.game import GIVEN, guessed
from lmlab.page.room.seen import as_csv, of_game, question, word
from lmlab.page.room.store import Asked, Room, Store, Value
from lmlab.page.room.tally import share_right
from lmlab.page.scenes.scene import Line, Lines, Name, Question

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that is taken for a digit
LENGTH = 5
SECONDS = 6 * 3600.0  # that a room stays open
MOST_ROOMS = 500
MOST_PHONES = 2_000  # of a room
LOOK = 30.0  # seconds after which time is taken from all rooms
DISCUSS = (0.35, 0.70)  # shares of right answers between which talking pays most
LARGEST = 1e15  # number that is taken for an answer
Act = Literal["look", "scene", "close", "again", "show", "reveal", "hide", "next", "end"]
GAME = {
    "name": "next-word", "title": "The room as a language model", "own": True,
    "point": "Which word comes next? The room guesses, and so do models.",
}  # fmt: skip


class NoRoomError(InputError):
    """There is no room of this code."""


class StrangerError(InputError):
    """Who asks is not who may."""


class OverError(InputError):
    """It is too late, or too early, for an answer."""


class Shown(BaseModel):
    """A scene as the lecturer's page shows it."""

    model_config = ConfigDict(extra="ignore")

    name: Name
    title: Line
    point: Lines
    ask: Question | None = None
    own: bool = False  # whether no link leads to it


class Rooms:
    """All rooms of one store; used from the event loop alone.

    ``linked``: whether phones can reach the page itself. ``clock``: seconds that only go forward,
    so that no change of the machine's time ends a room or keeps one.
    """

    def __init__(
        self, store: Store, *, linked: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = store
        self.linked = linked
        self._clock = clock
        self._looked = clock()
        self._events: dict[str, asyncio.Event] = {}

    # Who comes

    def open(self) -> tuple[str, str]:
        """A new room: (code, the lecturer's secret).

        Raises:
            InputError: there are too many.
        """
        self._look()
        if self.store.rooms() >= MOST_ROOMS:
            raise InputError("There are too many rooms on this machine.", "Try again later.")
        secret = secrets.token_urlsafe(24)
        while True:
            code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
            if self.store.open(code, _sum(secret), SECONDS):
                return code, secret

    def join(self, code: str, phone: str = "") -> dict[str, Any]:
        """A phone comes, or comes again: its name, and what it has answered.

        Raises:
            NoRoomError: the code is wrong, or the room over.
            InputError: the room is full.
        """
        room = self._room(code)
        if not phone or not self.store.has(code, phone):
            if self.store.phones(code) >= MOST_PHONES:
                raise InputError("This room is full.")
            phone = secrets.token_urlsafe(12)
            self.store.join(code, phone)
            self._changed(code)
        mine = None
        if room.question is not None:
            now = self.store.question(room.question)
            value = self.store.answered(now.id, now.round, phone)
            mine = {"question": now.id, "round": now.round, "value": value}
        return {"phone": phone, "mine": mine}

    def knows(self, code: str, phone: str) -> bool:
        """Whether a phone was let in."""
        return bool(phone) and self.store.has(code, phone)

    # What they answer

    def answer(self, code: str, phone: str, number: int, round_: int, value: Value) -> None:
        """Take a phone's answer, in place of its last; the same once more changes nothing.

        Raises:
            NoRoomError: there is no such room.
            StrangerError: the phone was not let in.
            OverError: this is not what is asked now.
            InputError: it is no answer to it.
        """
        room = self._room(code)
        if not self.knows(code, phone):
            raise StrangerError("This phone is not in the room.", "Open the room's link again.")
        if room.question is None or number != room.question:
            raise OverError("Another question is asked by now.")
        now = self.store.question(number)
        given = _checked(now, value)
        if self.store.answered(number, round_, phone) == given:
            return
        if now.phase != "open" or round_ != now.round:
            raise OverError("This vote is over.")
        self.store.answer(number, round_, phone, given)
        self._changed(code)

    # What the lecturer has done

    def do(
        self, code: str, secret: str, act: Act, scene: Shown | None = None,
        truth: float | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Go on: ``scene`` shows another, ``close`` ends a vote, ``again`` begins the next one,
        ``show`` shows what was answered, ``reveal`` what is right, ``hide`` neither.

        Returns what the lecturer may see.

        Raises:
            NoRoomError: there is no such room.
            StrangerError: the secret is wrong.
        """
        room = self.seat(code, secret)
        if act == "end":
            self.store.end(code)
            self._changed(code)
            return {"over": True}
        if act == "scene" and scene is not None:
            kept = scene.model_dump(include={"name", "title", "point", "own"})
            asked = scene.ask.model_dump(mode="json", exclude={"hide"}) if scene.ask else None
            self.store.show(code, kept, asked)
        elif act == "next" and room.game is not None:
            self._ask_word(room)
        elif act not in ("look", "next") and room.question is not None:
            now = self.store.question(room.question)
            phases = {
                "close": "closed", "again": "open", "show": "shown", "reveal": "revealed",
                "hide": "closed",
            }  # fmt: skip
            # A press that comes twice, from two windows, begins one vote and not two.
            begins = act == "again" and now.phase != "open"
            told = now.asked.get("truth")
            known = told if isinstance(told, float) else truth
            self.store.turn(now.id, now.round + begins, phases[act], known)
        self._changed(code)
        return self.seen(code)

    def play(self, code: str, secret: str, game: dict[str, Any]) -> dict[str, Any]:
        """Have the room guess a text, as ``game.prepared`` gives it, word by word.

        Raises:
            NoRoomError, StrangerError: as ``seat``.
        """
        room = self.seat(code, secret)
        number = (room.game or {}).get("number", 0) + 1
        self.store.play(code, {**game, "number": number})
        self._ask_word(self._room(code))
        self._changed(code)
        return self.seen(code)

    def _ask_word(self, room: Room) -> None:
        """The word after the last one that was revealed; none after the text's last."""
        game = room.game or {}
        at = GIVEN
        for now in of_game(self.store, room):
            at = max(at, now.asked["word"] + (now.phase == "revealed"))
        if at >= len(game["words"]):
            return
        asked = {
            "say": "Which word comes next?", "options": [], "answer": "", "word": at,
            "game": game["number"], "text": game["text"][: game["ends"][at - 1]],
        }  # fmt: skip
        self.store.show(room.code, GAME, asked)

    def seat(self, code: str, secret: str) -> Room:
        """The room of whoever has its secret.

        Raises:
            NoRoomError: there is no such room.
            StrangerError: the secret is wrong.
        """
        room = self._room(code)
        if not secrets.compare_digest(room.secret, _sum(secret)):
            raise StrangerError("Only who opened this room can do that.", "Open one of your own.")
        return room

    # What is seen

    def told(self, code: str, counted: bool = False) -> dict[str, Any]:
        """What everybody may see; ``counted``: with how many are here and have answered."""
        room = self._room(code)
        scene = {key: room.scene[key] for key in ("name", "title", "point") if key in room.scene}
        linked = self.linked and bool(scene) and not room.scene.get("own")
        found: dict[str, Any] = {"code": code, "scene": scene or None, "linked": linked}
        now = self.store.question(room.question) if room.question is not None else None
        found["question"] = None
        if now is not None:
            guess = "word" in now.asked
            found["question"] = word(self.store, room, now) if guess else question(self.store, now)
        if counted:
            found["phones"] = self.store.phones(code)
            found["answers"] = self.store.count(now.id, now.round) if now else 0
        return found

    def seen(self, code: str) -> dict[str, Any]:
        """What the lecturer may see besides: whether a talk with one's neighbour pays."""
        room, found = self._room(code), self.told(code, counted=True)
        now = self.store.question(room.question) if room.question is not None else None
        if now is not None and now.phase == "closed":
            share = share_right(now, self.store.answers(now.id, now.round))
            low, high = DISCUSS
            found["discuss"] = now.round == 1 and share is not None and low <= share <= high
        return found

    def table(self, code: str, secret: str) -> str:
        """All that was answered, as CSV: a line for each question, vote and answer, with how many
        gave it.

        Raises:
            NoRoomError, StrangerError: as ``seat``.
        """
        self.seat(code, secret)
        return as_csv(self.store, code)

    # Time

    def event(self, code: str) -> asyncio.Event:
        """What is set as soon as the room changes; asked for before the room is looked at."""
        return self._events.setdefault(code, asyncio.Event())

    def _changed(self, code: str) -> None:
        if event := self._events.pop(code, None):
            event.set()

    def _look(self) -> None:
        passed = self._clock() - self._looked
        if passed >= LOOK:
            self._looked += passed
            for code in self.store.pass_by(passed):
                self._changed(code)

    def _room(self, code: str) -> Room:
        self._look()
        if (found := self.store.room(code)) is None:
            raise NoRoomError(f"There is no room ‘{code[:12]}’.", "Look at the code on the screen.")
        return found


def _checked(now: Asked, value: Value) -> Value:
    """An answer as it is kept."""
    if "word" in now.asked:
        return guessed(value)
    if isinstance(value, str):
        raise InputError("That is no answer to this question.")
    if now.asked.get("truth") is not None:
        if not math.isfinite(value) or abs(value) > LARGEST:
            raise InputError("That is no number.", "Write one such as 12 or 0.5.")
    elif value not in range(len(now.asked["options"])):
        raise InputError("That is none of the answers.")
    return float(value)


def _sum(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
