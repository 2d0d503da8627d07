"""The room: what phones and the lecturer send, what a stranger cannot, and what goes wrong."""

import csv
import io
import json
import math
import re
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from lmlab.errors import InputError
from lmlab.hosting.route_filter import OPEN
from lmlab.page.room import address
from lmlab.page.room.game import prepared
from lmlab.page.room.layer import RoomRoutes
from lmlab.page.room.rooms import LOOK, MOST_PHONES, SECONDS, Rooms
from lmlab.page.room.routes import Doing, Served
from lmlab.page.room.store import Store
from lmlab.page.room.tally import histogram
from lmlab.page.web_files import files
from lmlab.parts.html import filled
from lmlab.scoring.scored import Scored
from lmlab.scoring.words import words
from tests import loops
from tests.test_hosting import asked, page

ASK = {
    "say": "Which?",
    "options": ["=one", "<b>two</b>", "three"],
    "answer": "Two.",
    "right": "<b>two</b>",
}
SCENE = {"name": "first", "title": "First", "point": "What it shows.", "ask": ASK}
NUMBER = {**SCENE, "name": "free", "ask": {**ASK, "right": None, "truth": "figures"}}
GAME = {
    "text": "a b c D. e", "words": ["a", "b", "c", "D.", "e"], "bare": ["a", "b", "c", "d", "e"],
    "ends": [1, 3, 5, 8, 10],
    "guessers": [
        {"name": "unigram", "logprobs": [math.log(0.1)] * 5, "tops": [[("the", 0.1)]] * 5},
        {"name": "base", "logprobs": [math.log(0.5)] * 5, "tops": [[("x", 0.5)]] * 5},
    ],
}  # fmt: skip
FORGED = "no-phone-of-this-room"


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Hall:
    """A room with its lecturer."""

    def __init__(self, file: Path) -> None:
        self.file, self.clock = file, Clock()
        self.serve()
        opened = self.client.post("/room/api/open", json={}).json()
        self.code, self.secret = opened["code"], opened["secret"]

    def serve(self) -> None:
        """Begin anew over the same file."""
        self.rooms = Rooms(Store(self.file), clock=self.clock)
        self.served = Served(self.rooms, "the page", "0.0.0.0", lambda text: GAME)
        self.client = TestClient(self.served.app(), raise_server_exceptions=False)

    def post(self, path, **given):
        return self.client.post(f"/room/api/{self.code}/{path}", json=given)

    def do(self, act, **more):
        answer = self.post("do", secret=self.secret, act=act, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def scene(self, scene=SCENE):
        return self.do("scene", scene=scene)["question"]["id"]

    def join(self, phone=""):
        return self.post("join", phone=phone).json()

    def vote(self, value, phone=None, round_=1, question=None):
        question = question or self.rooms.told(self.code)["question"]["id"]
        phone = phone or self.join()["phone"]
        return self.post("answer", phone=phone, question=question, round=round_, value=value)


@pytest.fixture
def hall(tmp_path):
    return Hall(tmp_path / "rooms.sqlite")


def test_predict_discuss_reveal(hall):
    hall.scene()
    phones = [hall.join()["phone"] for _ in range(4)]
    for phone, value in zip(phones, (1, 1, 0, 2), strict=True):
        assert hall.vote(value, phone).status_code == 200
    told = hall.do("look")
    assert (told["phones"], told["answers"]) == (4, 4)
    assert hall.do("close")["discuss"] is True
    assert hall.do("again")["question"]["round"] == 2
    for phone in phones[:3]:
        assert hall.vote(1, phone, 2).status_code == 200
    assert hall.do("close")["discuss"] is False
    assert hall.do("show")["question"]["tally"] == [[1, 2, 1], [0, 3, 0]]
    assert "answer" not in hall.rooms.told(hall.code)["question"]
    shown = hall.do("reveal")["question"]
    assert (shown["answer"], shown["right"]) == ("Two.", 1)
    table = hall.post("table", secret=hall.secret).text
    rows = list(csv.reader(io.StringIO(table)))
    assert rows[0] == ["scene", "question", "vote", "answer", "phones", "right"]
    assert rows[1] == ["first", "Which?", "1", "'=one", "1", "no"]
    assert rows[5] == ["first", "Which?", "2", "<b>two</b>", "3", "yes"]
    assert not any(phone in table for phone in phones)


def test_numbers_stand_in_bins_with_the_truth_among_them(hall):
    hall.scene(NUMBER)
    for value in (20, 80, 1500):
        assert hall.vote(value).status_code == 200
    assert "discuss" not in hall.do("show", truth=100.0)
    assert "truth" not in json.dumps(hall.rooms.told(hall.code))
    shown = hall.do("reveal", truth=4000.0)["question"]
    assert shown["truth"] == 4000.0
    assert shown["edges"][0] == 20
    assert shown["edges"][-1] == pytest.approx(4000)
    assert sum(shown["tally"][0]) == 3
    assert histogram([[5.0, 5.0]], None)["tally"][0].count(2) == 1


@pytest.mark.parametrize("act", ["scene", "close", "again", "hide"])
@pytest.mark.parametrize("counted", [False, True])
def test_what_is_hidden_is_not_sent(hall, act, counted):
    hall.scene()
    hall.vote(1)
    hall.do("show")
    hall.do(act, scene={**SCENE, "name": "second"} if act == "scene" else None)
    seen = [hall.rooms.told(hall.code, counted), hall.join(), hall.do("look")]
    assert not {"tally", "right", "edges"} & set(re.findall(r'"(\w+)":', json.dumps(seen)))


def test_a_stranger_neither_votes_twice_nor_sits_in_the_lecturers_seat(hall):
    question = hall.scene()
    phone = hall.join()["phone"]
    assert hall.vote(0, FORGED).status_code == 403
    assert [hall.vote(value, phone).status_code for value in (0, 1, 1)] == [200] * 3
    assert hall.join(phone) == {
        "phone": phone, "mine": {"question": question, "round": 1, "value": 1.0},
    }  # fmt: skip
    for act in ("close", "show", "again", "end", "look"):
        assert hall.post("do", secret="x" * 32, act=act).status_code == 403
    assert hall.post("table", secret="").status_code == 403
    assert hall.do("look")["answers"] == 1
    hall.do("close")
    # What was on its way when the vote ended does no harm; another answer is too late.
    assert hall.vote(1, phone).status_code == 200
    assert hall.vote(0, phone).status_code == 409
    assert hall.do("show")["question"]["tally"] == [[0, 1, 0]]


def test_two_presenters_begin_one_vote(hall):
    hall.scene()
    hall.do("close")
    assert [hall.do("again")["question"]["round"] for _ in range(2)] == [2, 2]
    assert hall.scene() == hall.scene()


def test_whoever_floods_is_slowed_alone(hall):
    hall.scene()
    flooding, other = hall.join()["phone"], hall.join()["phone"]
    found = [hall.vote(0, flooding, question=1) for _ in range(40)]
    slowed = [one for one in found if one.status_code == 429]
    assert slowed
    assert int(slowed[0].headers["retry-after"]) >= 1
    assert hall.vote(1, other).status_code == 200
    assert hall.do("show")["question"]["tally"] == [[1, 1, 0]]


@pytest.mark.parametrize(
    ("path", "given", "status", "said"),
    [
        ("/room/api/open", {}, 200, "secret"),
        ("/room/api/ABCDE/join", {}, 404, "no room ‘ABCDE’"),
        ("/room/api/CODE/join", {"phone": ["x"]}, 422, "cannot be understood"),
        ("/room/api/CODE/answer", {"value": "<script>alert(1)</script>"}, 422, "no answer to"),
        ("/room/api/CODE/answer", {"value": 3}, 422, "none of the answers"),
        ("/room/api/CODE/answer", {"value": 0.5}, 422, "none of the answers"),
        ("/room/api/CODE/answer", {"value": float("nan")}, 422, "none of the answers"),
        ("/room/api/CODE/answer", {"value": -1}, 422, "none of the answers"),
        ("/room/api/CODE/answer", {"question": 99, "value": 0}, 409, "Another question"),
        ("/room/api/CODE/answer", {"round": 2, "value": 0}, 409, "is over"),
        ("/room/api/CODE/answer", {"value": 0, "phone": "x" * 41}, 422, "be understood"),
        ("/room/api/CODE/do", {"secret": "é", "act": "show"}, 403, "Only who opened"),
        ("/room/api/CODE/do", {"secret": "x", "act": "drop"}, 422, "be understood"),
        ("/room/api/CODE/do", {"secret": "x" * 30_000}, 422, "more than is read"),
    ],
)
def test_bad_calls_are_a_sentence(hall, path, given, status, said):
    question = hall.scene()
    if path.endswith("answer"):
        given = {"phone": hall.join()["phone"], "question": question, "round": 1, **given}
    body = json.dumps(given).encode()
    answer = hall.client.post(path.replace("CODE", hall.code), content=body)
    assert answer.status_code == status
    assert said in answer.text


def test_numbers_that_are_none_are_refused(hall):
    hall.scene(NUMBER)
    for value in (1e300, -1e16):
        assert "no number" in hall.vote(value).text


def test_late_joiners_and_phones_that_slept_find_what_there_is(hall):
    hall.scene()
    hall.vote(1)
    hall.do("show")
    late = hall.join()
    assert late["mine"]["value"] is None

    async def events():
        seen = []
        async with aclosing(hall.served._lines(hall.code, False, "a")) as lines:
            async for line in lines:
                seen.append(line)
                if len(seen) == 2:
                    hall.rooms.do(hall.code, hall.secret, "reveal")
                if len(seen) == 3:
                    hall.rooms.do(hall.code, hall.secret, "end")
        return seen

    retry, first, second, last = loops.run(events())
    assert retry.startswith("retry: ")
    assert json.loads(first.removeprefix("data: "))["question"]["tally"] == [[0, 1, 0]]
    assert json.loads(second.removeprefix("data: "))["question"]["answer"] == "Two."
    assert last.startswith("event: over")
    assert hall.served._streams == {}
    assert hall.post("join").status_code == 404


def test_a_vote_sends_phones_nothing(hall):
    hall.scene()
    before = hall.rooms.told(hall.code)
    hall.vote(1)
    assert hall.rooms.told(hall.code) == before


def test_a_restart_in_the_middle_loses_no_vote(hall):
    question = hall.scene()
    phone = hall.join()["phone"]
    hall.rooms.store.close()
    code = f"""
import os
from pathlib import Path
from lmlab.page.room.store import Store
Store(Path({str(hall.file)!r})).answer({question}, 1, {phone!r}, 2.0)
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    hall.serve()
    assert hall.join(phone)["mine"]["value"] == 2.0
    assert hall.do("show")["question"]["tally"] == [[0, 0, 1]]


def test_rooms_end_by_themselves_whatever_the_clock_does(hall):
    hall.scene()
    hall.vote(1)
    hall.clock.now -= 1e6
    assert hall.do("look")["answers"] == 1
    hall.clock.now += 1e6 + SECONDS - LOOK
    assert hall.do("look")["answers"] == 1
    # What a restart has seen pass is not forgotten, and the time in between does not count.
    hall.rooms.store.close()
    hall.clock.now += 1e6
    hall.serve()
    assert hall.do("look")["answers"] == 1
    hall.clock.now += 2 * LOOK
    assert hall.post("do", secret=hall.secret).status_code == 404
    assert hall.rooms.store.questions(hall.code) == []
    assert hall.rooms.store.answers(1, 1) == []


def test_a_scene_that_has_become_another_is_asked_anew(hall):
    first = hall.scene()
    hall.vote(1)
    other = {**SCENE, "ask": {**ASK, "options": ["yes", "no"], "right": "yes"}}
    second = hall.scene(other)
    assert second != first
    assert hall.do("look")["answers"] == 0
    hall.vote(0)
    assert hall.scene() == first
    assert hall.do("look")["answers"] == 1
    assert len(hall.post("table", secret=hall.secret).text.splitlines()) == 1 + 3 + 2


def test_ten_thousand_guesses_and_a_full_room(hall):
    question = hall.scene(NUMBER)
    store = hall.rooms.store
    store._ask("BEGIN")
    for i in range(10_000):
        store.answer(question, 1, f"p{i}", 1.0 + i)
    for i in range(MOST_PHONES):
        store.join(hall.code, f"p{i}")
    store._ask("COMMIT")
    assert "full" in hall.post("join").text
    assert hall.join("p7")["phone"] == "p7"
    shown = hall.do("show")
    assert sum(shown["question"]["tally"][0]) == 10_000
    assert len(json.dumps(shown)) < 2_000


def test_the_room_guesses_the_next_word_beside_the_models(hall):
    hall.scene()
    told = hall.post("play", secret=hall.secret, text="x").json()["question"]
    assert (told["text"], told["phase"]) == ("a b c", "open")
    phones = [hall.join()["phone"] for _ in range(3)]
    for phone, word in zip(phones, (" “D!” ", "d", "<b>dog</b>"), strict=True):
        assert hall.vote(word, phone).status_code == 200
    for bad in ("two words", "…", 3, "x" * 41, "x" * 61):
        assert hall.vote(bad, phones[2]).status_code == 422
    assert "D." not in json.dumps(hall.rooms.told(hall.code, True))
    shown = hall.do("show")["question"]
    assert (shown["options"], shown["tally"]) == (["d", "b>dog</b"], [[2, 1]])
    assert "guessers" not in shown
    known = hall.do("reveal")["question"]
    assert known["right"] == 0
    room = (2 + 0.1) / (3 + 1)
    rows = {one["name"]: (one["p"], one["pp"]) for one in known["guessers"]}
    assert rows["the room"] == pytest.approx((room, 1 / room))
    assert rows["base"] == pytest.approx((0.5, 2))
    # Nobody says the next word: the unigram's share is left.
    assert hall.do("next")["question"]["text"] == "a b c D."
    assert hall.vote("x", phones[0]).status_code == 200
    last = hall.do("reveal")["question"]
    rows = {one["name"]: (one["p"], one["pp"]) for one in last["guessers"]}
    assert last["last"]
    assert rows["the room"] == pytest.approx((0.05, 1 / math.sqrt(room * 0.05)))
    assert hall.do("next")["question"]["id"] == last["id"]
    assert "next-word,Which word comes next?,1,d,2," in hall.post("table", secret=hall.secret).text
    assert hall.post("play", secret="x", text="a b c d").status_code == 403


def test_a_text_that_is_guessed_is_what_the_models_score(mock_lab):
    lab = mock_lab(model="base")
    text = "The dog ran home, and the cat sat down."
    game = prepared(lab, f"  {text} ")
    names = [one["name"] for one in game["guessers"]]
    assert names == ["unigram", "base"]
    (scored,) = (one for one in lab.score("base", text, top_k=5) if isinstance(one, Scored))
    for place, word in enumerate(words(scored)):
        bare = place not in (3, 8)  # what stands at a word's end is not asked for
        if bare:
            assert game["guessers"][1]["logprobs"][place] == pytest.approx(word.logprob)
        else:
            assert game["guessers"][1]["logprobs"][place] > word.logprob
    assert game["bare"][3] == "home"
    assert game["guessers"][0]["logprobs"][0] > game["guessers"][0]["logprobs"][1]
    for bad in ("too few", "a b c ! d", "word " * 61):
        with pytest.raises(InputError):
            prepared(lab, bad)


def test_a_disk_that_takes_nothing_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("no folder")
    served = Served(Rooms(Store(tmp_path / "file" / "rooms.sqlite")), "", "0.0.0.0", dict)
    answer = TestClient(served.app()).post("/room/api/open", json={})
    assert answer.status_code == 507
    assert "cannot be written" in answer.text


@pytest.mark.parametrize(
    ("bound", "host", "own", "found"),
    [
        ("127.0.0.1", "127.0.0.1:7860", "192.168.1.5", "lmlab app --room"),
        ("127.0.0.1", "lab.example.org", "", "https://lab.example.org"),
        ("0.0.0.0", "localhost:7860", "192.168.1.5", "http://192.168.1.5:7860"),
        ("0.0.0.0", "[::1]:7860", "", "in no network"),
        ("0.0.0.0", "10.0.0.7:7860", "192.168.1.5", "https://10.0.0.7:7860"),
        ("192.168.1.9", "", "", "http://192.168.1.9:7860"),
    ],
)
def test_where_phones_reach_the_page(monkeypatch, bound, host, own, found):
    monkeypatch.setattr(address, "own_address", lambda: own)
    reach = address.reach(bound, 7860, host, "https")
    assert found in (reach.address or reach.why).replace("https://192", "http://192")


def from_outside(path, alone, client="192.168.1.7"):
    """The status of a page's path for another machine, with a room beside the page."""
    layer = RoomRoutes(page(b"the page"), page(b"the room"), alone)

    async def app(scope, receive, send):
        await layer({**scope, "client": (client, 1)}, receive, send)

    return asked(app, path)


def test_others_get_the_room_alone_where_that_was_asked_for():
    assert from_outside("/", alone=True)[0] == 404
    assert from_outside("/gradio_api/queue/join", alone=True)[0] == 404
    assert from_outside("/web/0a/page/page.js", alone=True)[0] == 404
    assert from_outside("/room/ABCDE", alone=True)[2] == b"the room"
    assert from_outside("/web/0a/page/room/phone.js", alone=True)[2] == b"the page"
    assert from_outside("/", alone=True, client="127.0.0.1")[2] == b"the page"
    assert from_outside("/", alone=False)[2] == b"the page"
    none = RoomRoutes(page(b"the page"))
    assert asked(none, "/room/")[0] == 404


def test_all_routes_are_open_and_the_phones_page_is_small(hall):
    for route in hall.served.app().routes:
        method = "POST" if "POST" in route.methods else "GET"
        assert re.fullmatch(OPEN[method], route.path.replace("{code}", hall.code)), route.path
    text = filled("page/room/phone", folder="web/0")
    names = ("page/room/phone.js", "page/room/game.js", "page/room/votes.js", "parts/web/dom.js")
    assert len(text) + sum(len(files()[name]) for name in names) < 40_000
    imported = {
        name
        for one in names
        for name in re.findall(r'from "[./]*([\w/.]+)"', files()[one].decode())
    }
    assert {name.rsplit("/", 1)[-1] for name in imported} <= {"dom.js", "votes.js", "game.js"}
    assert set(Doing.model_fields) == {"secret", "act", "scene", "truth"}
