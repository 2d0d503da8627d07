"""What everybody may see of what a room is asked, and the table that its lecturer may keep."""

import csv
import io
from typing import Any

from lmlab.page.room.game import RULE, shown, table
from lmlab.page.room.store import Asked, Room, Store
from lmlab.page.room.tally import histogram, place_of_right, rows
from lmlab.parts.tables import neutral


def question(store: Store, now: Asked) -> dict[str, Any]:
    """A scene's question as everybody may see it."""
    asked = now.asked
    free = asked.get("truth") is not None
    found: dict[str, Any] = {
        "id": now.id, "say": asked["say"], "options": [] if free else asked["options"],
        "free": free, "round": now.round, "phase": now.phase,
    }  # fmt: skip
    if now.phase in ("shown", "revealed"):
        rounds = [store.answers(now.id, one + 1) for one in range(now.round)]
        truth = now.truth if now.phase == "revealed" else None
        if free:
            found |= histogram(rounds, truth)
        else:
            places = range(len(asked["options"]))
            found["tally"] = [[one.count(place) for place in places] for one in rounds]
    if now.phase == "revealed":
        found |= {"answer": asked["answer"], "right": place_of_right(asked), "truth": now.truth}
    return found


def word(store: Store, room: Room, now: Asked) -> dict[str, Any]:
    """A word that is guessed, as everybody may see it."""
    found: dict[str, Any] = {
        "id": now.id, "say": now.asked["say"], "text": now.asked["text"], "word": True,
        "round": now.round, "phase": now.phase, "options": [], "free": False,
    }  # fmt: skip
    game, at = room.game, now.asked["word"]
    if now.phase not in ("shown", "revealed") or game is None:
        return found
    guesses = store.answers(now.id, now.round)
    if now.phase == "shown":
        return found | shown(guesses)
    known = {
        one.asked["word"]: store.answers(one.id, one.round)
        for one in of_game(store, room)
        if one.phase == "revealed"
    }
    found |= {"answer": f"The next word: {game['words'][at]}", "rule": RULE}
    found |= {"guessers": table(game, known, at), "last": at + 1 == len(game["words"])}
    return found | shown(guesses, game["bare"][at])


def of_game(store: Store, room: Room) -> list[Asked]:
    """What was asked of the text that is guessed now."""
    number = (room.game or {}).get("number")
    known = store.questions(room.code)
    return [one for one in known if "word" in one.asked and one.asked["game"] == number]


def as_csv(store: Store, code: str) -> str:
    """A line for each question, vote and answer, with how many gave it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["scene", "question", "vote", "answer", "phones", "right"])
    for now in store.questions(code):
        for round_ in range(1, now.round + 1):
            for row in rows(now, store.answers(now.id, round_)):
                writer.writerow([now.scene, neutral(now.asked["say"]), round_, *row])
    return out.getvalue()
