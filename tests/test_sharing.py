"""One visitor's share: of sessions, of memory, of the lines, whatever he calls himself."""

import gc
import json
import math
import pickle
import random
from types import SimpleNamespace

import httpx
import pytest

from bench.visitor import Page, Visitor
from lmlab.errors import InputError
from lmlab.fair import AHEAD, Fair, Spent, Ticket, makes_room, order
from lmlab.features.likelihood.events import api
from lmlab.features.tuning.service import Tuning
from lmlab.hosting.guests import HALL, LEFT, Beats, Guests, place
from lmlab.page.app import build_page
from lmlab.parts import vault
from lmlab.parts.gradio_compat import queue as queue_of_pages
from lmlab.parts.gradio_compat import sessions
from lmlab.parts.gradio_compat.handlers import _taken
from lmlab.parts.gradio_compat.sessions import STRANGERS, Session, Sessions
from lmlab.parts.vault import Packed, Vault
from lmlab.runs.specs import fingerprint
from lmlab.text.sets import Table
from lmlab.text.wordings import shipped_source
from tests import loops
from tests.test_visitors import ask, gated, pages, served, until

__all__ = ["served"]


# Turns


def line(fair, *names):
    """Tickets of ``address/visitor``, in the order of their coming; served in turn."""
    waiting = []
    for name in names:
        waiting.append(Ticket(*name.split("/")))
        fair.join(waiting[-1])
    found = []
    while waiting:
        fair.arrange(waiting)
        waiting.sort(key=order)
        found.append(waiting.pop(0))
        fair.serve(found[-1])
    return ["/".join(one.who) for one in found]


def test_who_asks_for_one_thing_at_a_time_is_served_first_come_first_served():
    names = [f"a{i}/x" for i in (3, 1, 2)] + ["a4/y"]
    assert line(Fair(), *names) == names


def test_addresses_take_turns_and_so_do_the_visitors_of_one():
    found = line(Fair(), "hall/1", "hall/1", "hall/1", "hall/2", "home/9", "home/9")
    assert found == ["hall/1", "home/9", "hall/2", "home/9", "hall/1", "hall/1"]


def test_many_names_at_one_address_delay_nobody_elsewhere():
    names = [f"bad/{i}" for i in range(50)] + ["home/1"]
    assert line(Fair(), *names).index("home/1") == 1


def test_a_hall_has_more_turns_than_a_home_and_not_all():
    share = {"hall": 8.0, "home": 1.0}
    names = [f"hall/{i}" for i in range(40)] + [f"home/{i}" for i in range(40)]
    first = line(Fair(lambda address: share[address]), *names)[:18]
    assert sum("hall" in one for one in first) == 16


def tickets(*names):
    return [Ticket(*name.split("/"), number=i) for i, name in enumerate(names)]


def test_who_has_most_waiting_makes_room():
    waiting = tickets("bad/1", "bad/1", "bad/2", "hall/1", "hall/2")
    assert makes_room(waiting, Ticket("home", "1")) is waiting[1]
    # Within the hall likewise; and nobody goes for one who would have as much himself.
    assert makes_room(tickets("hall/1", "hall/1", "hall/1"), Ticket("hall", "2")).number == 2
    assert makes_room(tickets("hall/1", "hall/2"), Ticket("hall", "3")) is None
    assert makes_room(tickets("a/1", "b/1"), Ticket("c", "1")) is None
    share = {"hall": 8.0, "bad": 1.0, "home": 1.0}
    waiting = tickets(*["hall/1"] * 9, *["bad/1"] * 3)
    assert makes_room(waiting, Ticket("home", "1"), share.__getitem__).address == "bad"


def test_a_full_line_has_room_for_who_has_least(served, mock_lab):
    """As when made-up sessions of one address filled the line, and nobody else got in."""

    lab = gated(mock_lab(max_waiting=6))
    app, address = served(lab, "likelihood")
    queue = app.blocks._queue
    with pages(address, "greedy", "other"):
        for i in range(8):
            assert ask(address, "greedy", f"{i}").status_code == 200
            until(lambda i=i: len(lab.order) + queue.waiting("scoring") == i + 1)
        last = queue.event_queue_per_concurrency_id["score"].queue[-1]
        assert ask(address, "other", "other").status_code == 200
        # The place that nobody may have besides the others was free for it.
        until(lambda: "other" in lab.order)
        assert queue.waiting("scoring") == 5
        assert last not in queue.event_queue_per_concurrency_id["score"].queue
        messages = queue.pending_messages_per_session["greedy"]
        said = [messages.get_nowait() for _ in range(messages.qsize())]
        told = [one.output["error"] for one in said if one.msg == "process_completed"]
        assert len(told) == 1
        assert "made room for others" in told[0]
    lab.gate.set()


def test_large_texts_that_wait_are_bounded_together(served, mock_lab, monkeypatch):
    """Twenty of them took 2 GB."""
    monkeypatch.setattr(queue_of_pages, "LARGE", 500_000)
    lab = gated(mock_lab())
    app, address = served(lab, "likelihood")
    large = "x" * 100_000
    with pages(address, "one", "two"):
        assert [ask(address, "one", large).status_code for _ in range(2)] == [200, 200]
        refused = ask(address, "two", large)
        assert refused.status_code == 429
        assert "large texts are waiting" in refused.json()["detail"]
        assert ask(address, "two", "small").status_code == 200
        lab.gate.set()
        until(lambda: not app.blocks._queue._running and not len(app.blocks._queue))
        assert ask(address, "two", large).status_code == 200


def test_half_a_character_is_a_sentence(served, mock_lab):
    """The page's answer quoted it, and ended in the middle."""
    _, address = served(mock_lab(), "likelihood")
    for data, told in ((["\ud800"], None), ([{"a": [{"\udfff": 1}]}], None), ([1], ["\ud800"])):
        body = {"data": data, "event_data": told, "fn_index": 0, "session_hash": "s"}
        headers = {"content-type": "application/json"}
        where = f"{address}/gradio_api/queue/join"
        answer = httpx.post(where, content=json.dumps(body), headers=headers, timeout=60)
        assert answer.status_code == 400
        assert "half a character" in answer.json()["detail"]


def test_long_work_without_a_page_waits_while_a_page_asks(served, mock_lab):

    lab = gated(mock_lab(max_waiting=60))
    app, address = served(lab, "likelihood")
    queue = app.blocks._queue
    with pages(address, "one", "two"):
        assert ask(address, "one", "first").status_code == 200
        until(lambda: lab.order == ["first"])
        for i in range(5):
            assert ask(address, f"made up {i}", f"made up {i}").status_code == 200
        assert ask(address, "two", "second").status_code == 200
        until(lambda: len(lab.order) == 2)
        assert lab.order == ["first", "second"]
        assert queue.waiting("scoring") == 5
        lab.gate.set()
        until(lambda: len(lab.order) == 7)


def test_one_address_does_not_hold_all_places_while_a_page_is_open_elsewhere(served, mock_lab):
    """Long texts from one address had a short one from another wait for the end of one."""
    lab = gated(mock_lab())
    app, address = served(lab, "likelihood")
    queue = app.blocks._queue
    names = ["bad 1", "bad 2", "bad 3"]
    for name in names:
        queue.guests.come(name, "198.51.100.1")
    assert not queue.guests.elsewhere("198.51.100.1")
    with pages(address, "home"):
        until(lambda: queue.guests.elsewhere("198.51.100.1"))
        for name in names:
            assert ask(address, name, name).status_code == 200
        until(lambda: sorted(lab.order) == names[:2])
        assert ask(address, "home", "home").status_code == 200
        until(lambda: lab.order[2:] == ["home"])
        assert queue.waiting("scoring") == 1
        lab.gate.set()
        until(lambda: len(lab.ended) == 4)


def test_where_two_addresses_ask_each_has_its_part_of_the_places(served, mock_lab):
    lab = gated(mock_lab())
    app, address = served(lab, "likelihood")
    queue = app.blocks._queue
    queue.guests.come("bad", "198.51.100.1")
    hall = [f"hall{i}" for i in range(9)]
    with pages(address, *hall):
        until(lambda: queue.guests.elsewhere("198.51.100.1"))
        assert ask(address, "bad", "bad").status_code == 200
        until(lambda: lab.order == ["bad"])
        for name in hall[:3]:
            assert ask(address, name, name).status_code == 200
        until(lambda: sorted(lab.order[1:]) == hall[:2])
        assert queue.waiting("scoring") == 1
        lab.gate.set()
        until(lambda: len(lab.ended) == 4)


def test_long_work_is_several_turns():
    fair = Fair()
    waiting = tickets(*["bad/1"] * 6, *["home/1"] * 6)
    for one in waiting:
        fair.join(one)
    found = []
    while waiting:
        fair.arrange(waiting)
        waiting.sort(key=order)
        found.append(waiting.pop(0))
        fair.serve(found[-1])
        fair.charge(found[-1], 2.0 if found[-1].address == "bad" else 0.1)
    assert sum(one.address == "home" for one in found[:7]) == 6
    assert len(fair) > 0
    fair.clear()
    assert len(fair) == 0


def test_who_had_more_than_his_part_of_all_waits_for_who_asks():
    spent = Spent(lambda address: {"hall": 2.0}.get(address, 1.0))
    assert spent.ahead({"bad"}, set()) == set()
    spent.charge("bad", 9.0)
    assert spent.ahead({"bad"}, set()) == set()  # alone, one has all there is
    # Whoever comes anew has no claims on what was before, and asks for nothing but his part.
    assert spent.ahead({"bad", "hall"}, set()) == set()
    spent.charge("bad", 1.0)
    assert spent.ahead({"bad"}, {"hall"}) == {"bad"}
    assert spent.ahead({"bad", "hall"}, set()) == {"bad"}
    spent.charge("hall", 2 * (1.0 - AHEAD))
    assert spent.ahead({"bad", "hall"}, set()) == set()


@pytest.mark.parametrize(("spent", "waits"), [(1e6, True), (2 * AHEAD, False)])
def test_who_had_more_waits_for_the_others_part_and_not_for_their_end(
    served, mock_lab, spent, waits
):
    """Large tables, pasted one after the other, had everybody's scores take ten times as long."""
    lab = gated(mock_lab())
    app, address = served(lab, "likelihood")
    queue = app.blocks._queue
    queue.guests.come("bad", "198.51.100.1")
    with pages(address, "home"):
        until(lambda: queue.guests.elsewhere("198.51.100.1"))
        assert ask(address, "home", "home").status_code == 200
        until(lambda: lab.order == ["home"])
        queue._spent.charge("198.51.100.1", spent)
        assert ask(address, "bad", "bad").status_code == 200
        if waits:
            assert queue.get_events() is None
            assert lab.order == ["home"]
        else:
            until(lambda: lab.order == ["home", "bad"])
            assert lab.ended == []
        lab.gate.set()
        until(lambda: sorted(lab.ended) == ["bad", "home"])


def test_an_address_is_a_household():
    assert place("2001:db8::1") == place("2001:db8::2:1")
    assert place("2001:db8::1") != place("2001:db8:0:1::1")
    assert place("::ffff:192.0.2.1") == "192.0.2.1"
    assert len(place("x" * 1000)) <= 64


def test_an_open_page_is_a_connection():
    guests, inside = Guests(), []

    async def app(scope, receive, send):
        inside.append(("s1" in guests, guests.address("s1"), guests.share("192.0.2.1")))
        if scope["path"].endswith("s1"):
            await layer({**beat, "path": "/gradio_api/heartbeat/s2"}, receive, send)

    layer = Beats(app, guests)
    beat = {
        "type": "http", "method": "GET", "path": "/gradio_api/heartbeat/s1",
        "client": ("192.0.2.1", 9),
    }  # fmt: skip
    loops.run(layer(beat, None, None))
    loops.run(layer({**beat, "path": "/gradio_api/heartbeat/" + "x" * 65}, None, None))
    loops.run(layer({**beat, "path": "/gradio_api/info"}, None, None))
    assert inside[:2] == [(True, "192.0.2.1", 1), (True, "192.0.2.1", math.sqrt(2))]
    assert inside[2:] == [(False, "192.0.2.1", 1)] * 2
    # A page that lost its connection is a page's session all the same.
    assert guests.knows("s1")
    assert guests.address("s1") == "192.0.2.1"
    assert not guests.knows("x")
    for i in range(LEFT + 9):
        guests.come(f"s{i}", "192.0.2.1")
    assert guests.share("192.0.2.1") == HALL
    for i in range(LEFT + 9):
        guests.leave(f"s{i}")
    assert guests.share("192.0.2.1") == 1
    assert not guests.knows("s0")
    assert guests.knows(f"s{LEFT}")


def test_a_run_is_asked_for_from_somewhere(served, monkeypatch, mock_lab):
    lab, asked = mock_lab(), []
    start = Tuning.start
    tell = lambda *given: asked.append(lab.jobs._queue.whence()) or start(*given)  # noqa: E731
    monkeypatch.setattr(Tuning, "start", tell)
    _, address = served(lab, "tuning")

    async def train():
        async with Visitor(Page.read(address), random.Random(0)) as visitor:
            await visitor.train()

    loops.run(train())
    assert asked == ["127.0.0.1"]
    assert lab.jobs._queue.whence() == ""


# Sessions


@pytest.fixture
def holder():
    held = Sessions(Guests())
    config = SimpleNamespace(blocks={}, fns={})
    held.set_blocks(SimpleNamespace(default_config=config, state_session_capacity=20))
    return held


def test_sessions_without_a_page_push_out_one_another_alone(holder):
    """320 posts under made-up names once took every visitor's results."""
    for i in range(15):
        holder.guests.come(f"visitor {i}", "192.0.2.1")
        assert holder[f"visitor {i}"]
    for i in range(320):
        assert holder[f"made up {i}"]
    assert all(f"visitor {i}" in holder for i in range(15))
    assert len(holder.session_data) <= 15 + STRANGERS
    assert holder["x" * 1000] is not holder["x" * 1000]
    assert len(holder.session_data) <= 15 + STRANGERS


def test_closed_pages_go_first_then_those_of_the_address_with_most(holder):
    for i in range(10):
        holder.guests.come(f"visitor {i}", f"192.0.2.{i}")
        assert holder[f"visitor {i}"]
    for i in range(100):
        holder.guests.come(f"bad {i}", "198.51.100.1")
        assert holder[f"bad {i}"]
    assert all(f"visitor {i}" in holder for i in range(10))
    assert len(holder.session_data) == 20
    holder.guests.leave("visitor 3")
    holder.guests.come("new", "192.0.2.99")
    assert holder["new"]
    assert "visitor 3" not in holder
    # A page that was opened and closed again is no stranger's.
    assert "bad 99" in holder


def test_a_post_without_a_page_evicts_nobody(served, monkeypatch, mock_lab):
    monkeypatch.setattr(sessions, "STRANGERS", 4)
    monkeypatch.setattr("lmlab.page.app.SESSIONS", 6)
    app, address = served(mock_lab(), "likelihood")
    about = Page.read(address)

    async def visit():
        async with Visitor(about, random.Random(0)) as visitor:
            await visitor.open()
            await visitor.do("score")
            for i in range(20):
                async with Visitor(about, random.Random(i)) as other:
                    with pytest.raises(RuntimeError, match="no table yet"):
                        await other.do("table")
            (table,) = await visitor.call(about.event("likelihood-csv", "click"))
            return table

    assert "text" in loops.run(visit())
    assert len(app.state_holder.session_data) <= 5


# What they keep


@pytest.fixture
def keeping(holder):
    """(a vault, a session that keeps states 1 to 4)."""
    from lmlab.parts.gradio_compat.sessions import State

    holder.blocks.default_config.blocks.update({i: State(None) for i in range(1, 5)})
    holder.guests.come("one", "192.0.2.1")
    return Vault(), holder


def table(rows):
    row = {f"c{i}": f"cell {i}" for i in range(60)}
    columns = tuple(row)
    return Table("x", columns, tuple({k: f"{v} {n}" for k, v in row.items()} for n in range(rows)))


def test_what_is_kept_is_packed_and_the_same_again(keeping):
    """A pasted table took 95 MB a session."""
    kept, holder = keeping
    given = table(300)
    packed = kept.pack(given)
    assert isinstance(packed, Packed)
    assert packed.n_bytes < 2 * sum(len(cell) for row in given.rows for cell in row.values())
    assert packed.open() == given
    session = holder["one"]
    session[1] = packed
    del packed
    gc.collect()
    assert session[1].open() == given
    assert kept.n_bytes == session.n_bytes > 0
    session[1] = None
    gc.collect()
    assert kept.n_bytes == 0
    for small in (None, True, 3, "a", (), ["x"]):
        assert kept.pack(small) is small


def test_memory_is_bounded_and_the_rest_lies_on_the_disk(monkeypatch):
    import psutil

    monkeypatch.setattr(vault, "CACHE", 2_000)
    kept, data = Vault(), random.Random(0).randbytes(4_000_000)
    held = [kept.pack(data)]
    before = psutil.Process().memory_info().rss
    held += [kept.pack(data) for _ in range(50)]
    assert psutil.Process().memory_info().rss - before < 40e6
    assert {one.open() == data for one in held[::25]} == {True}
    assert kept.n_bytes > 200e6


def test_what_one_session_keeps_is_bounded(keeping, monkeypatch):
    kept, holder = keeping
    monkeypatch.setattr(sessions, "OF_ONE", 25_000)
    session = holder["one"]
    for key in (1, 2, 3, 1, 4):
        session[key] = kept.pack(bytes(10_000))
    gc.collect()
    assert session.n_bytes <= 25_000
    # Those that were made last are there; what went is as it was in the beginning.
    assert [isinstance(session[key], Packed) for key in (1, 2, 3, 4)] == [True, False, False, True]
    assert session[2] is None
    assert kept.n_bytes == session.n_bytes
    monkeypatch.setattr(vault, "LARGEST", 25_000)
    with pytest.raises(InputError, match="keeps at most"):
        kept.pack(bytes(30_000))


def test_what_all_sessions_keep_is_bounded(keeping):
    kept, holder = keeping
    assert 0 < holder.most_bytes <= sessions.OF_ALL
    holder.most_bytes = 55_000
    for i in range(10):
        holder.guests.come(f"bad {i}", "198.51.100.1")
        holder[f"bad {i}"][1] = kept.pack(bytes(10_000))
        holder["one"][2] = holder["one"][2] or kept.pack(bytes(10_000))
    gc.collect()
    assert kept.n_bytes <= 65_000
    assert isinstance(holder["one"][2], Packed)


def test_a_full_disk_is_a_sentence(monkeypatch):
    kept = Vault()
    kept._base.execute("PRAGMA max_page_count = 4")
    with pytest.raises(InputError, match="disk is full"):
        kept.pack(bytes(1_000_000))


# What is handed over


def test_what_no_page_sends_is_a_sentence(mock_lab):
    """A list where a name is meant was an error of the server's."""
    page = build_page(mock_lab(), ["likelihood", "completion"])
    blocks = {one.elem_id: one for one in page.blocks.values() if getattr(one, "elem_id", None)}
    model, seed = blocks["likelihood-model"], blocks["completion-seed"]
    for component, good, bad in (
        (model, "base", ["base"]), (model, None, {"a": 1}), (model, "x", 5), (model, "", True),
        (seed, 1, "one"), (seed, 0.5, [1]), (seed, None, True),
        (seed, 2, float("nan")), (seed, 3, float("inf")),
    ):  # fmt: skip
        assert _taken([good], [component]) == [good]
        with pytest.raises(InputError, match="does not send"):
            _taken([bad], [component])


def test_calls_made_by_hand_get_sentences(mock_lab):
    """A number where a name is meant was an error of the server's."""
    lab = mock_lab()
    for owner in (1.0, None, ["a"]):
        with pytest.raises(InputError, match="not known who asks"):
            fingerprint(owner)
    with pytest.raises(Exception, match="top_k must be"):
        api(lab)("a text", top_k=True)
    with pytest.raises(InputError, match="no template named ‘None’"):
        shipped_source(None)


def test_an_empty_field_is_an_empty_text_and_an_unknown_set_a_sentence(mock_lab):
    page = build_page(mock_lab(), ["likelihood"])
    text = next(one for one in page.blocks.values() if one.elem_id == "likelihood-text")
    assert _taken([None], [text]) == [""]
    from lmlab.features.prompt.events import Handlers

    with pytest.raises(Exception, match="no wording for this set"):
        Handlers(mock_lab()).choose("nonsense")


def test_every_state_of_the_page_comes_packed(served, monkeypatch, mock_lab):
    """And no handler is given anything but what it gave."""
    app, address = served(mock_lab(), "likelihood", "completion", "compare")
    about = Page.read(address)

    async def visit():
        async with Visitor(about, random.Random(0)) as visitor:
            await visitor.open()
            for kind in ("score", "alternatives", "table", "complete", "compare"):
                await visitor.do(kind)
            return visitor.session

    session = app.state_holder.session_data[loops.run(visit())]
    assert isinstance(session, Session)
    values = list(session.state_data.values())
    assert sum(isinstance(one, Packed) for one in values) >= 2
    assert all(isinstance(one, Packed) or len(pickle.dumps(one)) <= vault.SMALL for one in values)
    assert session.n_bytes == sum(getattr(one, "n_bytes", 0) for one in values)
