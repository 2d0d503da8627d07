"""What lmlab takes for granted of Gradio's inside, a test for each touch in ``gradio_compat``.
Where one fails after an update of Gradio, its name says what has changed.
"""

import inspect
import json
import re
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from fastapi.testclient import TestClient
from gradio import component_meta, http_server, queueing, routes, state_holder
from gradio.context import Context, LocalContext
from gradio_client import Client

from lmlab.hosting.route_filter import OPEN
from lmlab.lab import Lab
from lmlab.page.app import build_page, serve
from lmlab.parts.first_open import Led
from lmlab.parts.gradio_compat import (
    building,
    handlers,
    later_tabs,
    preload,
    queue,
    server,
    sessions,
)
from lmlab.parts.pickers import Choices
from lmlab.parts.widgets import Strip
from lmlab.settings import Settings

ROOT = Path(__file__).parent.parent / "lmlab"
HOME = ROOT / "parts" / "gradio_compat"
INSIDE = re.compile(
    r"from gradio|import gradio\.|gr\.(blocks|context|routes|utils|queueing)\b"
    r"|\b(Local)?Context\.|page\._queue|\.fns\b|\.default_config\b|temp_file_sets|uploaded_file_dir"
    r"|\._data\b(?!\()|blocks\.values"
)


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    return build_page(Lab.open(Settings()), ["likelihood"])


def names(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_nothing_else_touches_gradios_inside():
    files = [path for path in ROOT.rglob("*.py") if HOME not in path.parents]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files
        if "gradio" in (text := path.read_text(encoding="utf-8"))
        for line in text.splitlines()
        if INSIDE.search(line) and "lmlab.parts.gradio_compat" not in line
    ]
    assert found == []


# building


def test_components_write_no_stubs_beside_ours(tmp_path):
    assert "create_or_modify_pyi" in inspect.getsource(component_meta.ComponentMeta.__new__)
    assert not list(ROOT.rglob("*.pyi"))


def test_a_tab_and_a_page_know_where_they_are_built():
    with gr.Blocks() as page, gr.Tabs(), gr.Tab("One") as tab:
        gr.Textbox(elem_id="one-text")
        assert Context.block is building.tab() is tab
        assert Context.root_block is building.page() is page
        assert building.elsewhere("one", ["none"]) == {}
        (text,) = building.elsewhere("one", ["text"]).values()
    assert isinstance(text, gr.Textbox)
    assert text in building.below(building.outer(page))
    for lost in (building.tab, building.page):
        with pytest.raises(TypeError):
            lost()


def test_the_request_of_a_thread_is_known():
    assert building.request() is None
    held = LocalContext.request.set(SimpleNamespace(request="asked"))
    assert building.request() == "asked"
    LocalContext.request.reset(held)


def test_an_endpoint_for_programs_waits_in_its_line(page):
    (found,) = [one for one in page.fns.values() if one.api_name == "score"]
    assert (found.concurrency_id, found.concurrency_limit) == ("score", 3)


def test_components_of_our_own_refuse_a_misspelt_argument():
    """Gradio's HTML takes any name; ours are typed, so that mypy sees it."""

    def below(kind: type) -> list[type]:
        return [one for child in kind.__subclasses__() for one in (child, *below(child))]

    own = [one for one in below(gr.HTML) if one.__module__.startswith("lmlab")]
    assert len(own) > 10
    for one in own:
        assert issubclass(one, building.Html)
        taken = (
            inspect.signature(one.__init__).parameters.values() if "__init__" in vars(one) else ()
        )
        for option in taken:
            typed = re.search("Placed|Given", str(option.annotation))
            assert option.kind is not option.VAR_KEYWORD or typed, one


def test_a_component_that_gradio_knows_stays_it_in_the_browser():
    assert Choices(["one"]).get_block_name() == gr.Dropdown().get_block_name() == "dropdown"
    assert Led(False).get_block_name() == gr.State().get_block_name() == "state"


# handlers


def test_an_event_that_tells_something_is_never_put_off():
    """The browser keeps the number alone of one that waits for the one before it."""
    scripts = Path(routes.BUILD_PATH_LIB).glob("Blocks-*.js")
    assert any("this.queue.add(" in path.read_text(encoding="utf-8") for path in scripts)
    page = build_page(Lab.open(Settings()), ["prompt", "likelihood"])
    telling = [event for event in page.fns.values() if event.collects_event_data]
    assert len(telling) > 4
    assert not [event.name for event in telling if event.trigger_mode == "always_last"]


def test_every_handler_can_be_wrapped(page):
    event = next(one for one in page.fns.values() if one.fn is not None and one.inputs)
    assert {"fn", "inputs", "outputs", "targets", "trigger_mode", "concurrency_id"} <= set(
        vars(event)
    )
    assert event.show_progress_on == []
    assert all(hasattr(one.fn, "__wrapped__") for one in page.fns.values() if one.fn is not None)


def test_an_events_data_says_what_came():
    event = gr.EventData(None, {"i": 1})
    assert event._data == {"i": 1}
    assert event.i == 1


def test_states_are_told_from_other_outputs():
    assert gr.State(None).stateful
    assert not gr.Textbox().stateful
    assert "__type__" in gr.skip()


# queue


def test_the_queue_is_made_and_asked_as_ours_is():
    assert names(queueing.Queue.push) == ["self", "body", "request", "username"]
    assert names(queueing.Queue.get_events) == ["self"]
    assert names(queueing.Queue.process_events)[:4] == ["self", "events", "batch", "begin_time"]
    assert names(queueing.Queue.send_message)[:3] == ["self", "event", "event_message"]
    asked = {"live_updates", "concurrency_count", "update_intervals", "max_size", "blocks"}
    assert asked < set(names(queueing.Queue.__init__))


def test_a_page_has_our_queue_and_gradios_state(page):
    lines = queue.lines_of(page)
    for name in (
        "event_queue_per_concurrency_id", "event_ids_to_events", "active_jobs",
        "pending_messages_per_session", "pending_event_ids_session",
    ):  # fmt: skip
        assert hasattr(lines, name), name
    event = queueing.Event(None, next(iter(page.fns.values())), None, None)
    assert event._id == event.session_hash
    line = queueing.EventQueue("score", 2)
    assert (line.queue, line.concurrency_limit, line.current_concurrency) == ([], 2, 0)


# sessions


def test_sessions_are_made_where_gradio_looks_for_them(monkeypatch):
    for module, name in ((state_holder, "SessionState"), (routes, "StateHolder")):
        monkeypatch.setattr(module, name, getattr(module, name))
    assert "SessionState(" in inspect.getsource(state_holder.StateHolder)
    assert "StateHolder(" in inspect.getsource(routes)


def test_a_session_of_ours_has_all_that_gradios_has(page):
    gradios = vars(sessions.Session.__mro__[1](page))
    assert gradios.keys() <= vars(sessions.Session(page)).keys()
    for name in ("__getitem__", "update", "delete_state"):
        assert names(getattr(sessions.Sessions, name)) == names(
            getattr(sessions.Sessions.__mro__[1], name)
        )


# later_tabs, preload


def test_a_page_is_sent_with_its_first_tab_and_what_is_brought_along():
    lab = Lab.open(Settings())
    page = build_page(lab, ["likelihood", "about"])
    _, address, _ = serve(page, lab, prevent_thread_lock=True, quiet=True)
    html = httpx.get(address).content
    page.close(verbose=False)
    assert later_tabs.CONFIG.search(html), "where Gradio writes the page's configuration"
    strip = next(one for one in building.components(page) if isinstance(one, Strip))
    brought = {strip: "</script>", gr.HTML(render=False): "of another page"}
    parts = later_tabs.parts_of(page)
    sent = later_tabs.first_part(html, parts, "<meta>", lambda: brought)
    told = later_tabs.CONFIG.search(sent)[0]
    assert b"<" not in told
    found = json.loads(told)
    values = {one["id"]: one["props"].get("value") for one in found["components"]}
    assert values[strip._id] == "</script>"
    assert not values.keys() & parts[0].blocks
    head = sent[: sent.index(b"</head>")].decode()
    assert "<meta>" in head
    for name in ("Blocks-", "core-", "Plotly"):
        assert f'href="./assets/{name}' in head


def test_the_pages_files_name_those_that_they_load_as_they_did(page):
    kinds = {one["type"] for one in page.get_config_file()["components"]}
    names = [preload.SHOWN_BY.get(kind, kind) for kind in kinds]
    script = preload._needed(preload._main(), preload.PAGE)
    listed = preload._named(script, "core-")
    assert [
        name for name in names if not preload._needed(listed, preload.COMPONENT.format(kind=name))
    ] == []
    wanted = re.findall(r'href="\./assets/([^"]+)"', preload.preloads(frozenset(kinds)))
    assert {f"/assets/{name}" for name in wanted} <= server.page_files()
    assert len(wanted) > 40
    assert preload.preloads(frozenset({"no such kind"})) in preload.preloads(frozenset(kinds))


def test_programs_are_told_of_all_that_they_ask_for():
    """``gradio_client`` finds each input of an event among the components, and reads of it what
    kind it is, whether it is a file, and whether it counts."""
    lab = Lab.open(Settings())
    page = build_page(lab, ["likelihood", "data"])
    _, address, _ = serve(page, lab, prevent_thread_lock=True, quiet=True)
    whole = page.get_config_file()
    told = httpx.get(f"{address}config").json()
    programs = {one["id"]: one for one in told["components"]}
    assert len(programs) == len(whole["components"])
    for one in whole["components"]:
        found = programs[one["id"]]
        assert {key: found.get(key) for key in ("type", "skip_api")} == {
            key: one.get(key) for key in ("type", "skip_api")
        }
        assert found.get("api_info") == one.get("api_info")
    # As a browser's client does it, and Python's.
    client = Client(address, verbose=False, analytics_enabled=False)
    assert client.predict("Once upon a time", api_name="/score")["tokens"]
    assert len(client.endpoints) == len(whole["dependencies"])
    client.close()
    page.close(verbose=False)
    assert len(json.dumps(told)) < len(json.dumps(whole, default=str)) / 2


def test_a_page_whose_files_are_named_otherwise_opens_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(preload, "FILES", tmp_path)
    assert preload.preloads(frozenset({"html", "odd"})).strip() == ""


# server


def test_the_servers_configuration_is_made_by_its_module():
    source = inspect.getsource(http_server.start_server)
    assert "uvicorn.Config(" in source
    assert server.LOCALHOST == "127.0.0.1"


@pytest.mark.parametrize("module", [queueing, routes])
def test_a_misfit_is_printed_by_traceback(module):
    assert "traceback.print_exc()" in inspect.getsource(module)
    assert "traceback." not in inspect.getsource(module).replace("traceback.print_exc()", "")


def test_a_page_asks_itself_whether_it_can_be_had():
    launch = inspect.getsource(gr.Blocks.launch)
    assert "networking.url_ok(self.local_url)" in launch
    assert launch.index("startup-events") < launch.index("url_ok")


def test_the_pages_files_are_where_they_were():
    files = server.page_files()
    assert len(files) > 100
    assert any(re.fullmatch(r"/assets/index-[\w-]+\.js", path) for path in files)


def test_a_page_says_which_files_it_holds(page):
    assert isinstance(page.temp_file_sets, list)
    assert server.own_files(page) == set()
    gone = Path(tempfile.gettempdir(), "gone.txt")
    page.temp_file_sets.append({str(gone)})
    server.forget_missing(page)
    assert page.temp_file_sets.pop() == set()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/config"),
        ("GET", "/theme.css"),
        ("GET", "/gradio_api/info"),
        ("GET", "/gradio_api/startup-events"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/upload"),
        ("POST", "/gradio_api/cancel"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/run/predict"),
    ],
)
def test_the_addresses_that_are_open_are_gradios(method, path):
    assert re.fullmatch(OPEN[method], path)
    # Not served, some fail: they are there all the same.
    client = TestClient(routes.App.create_app(gr.Blocks()), raise_server_exceptions=False)
    assert client.request(method, path).status_code not in (404, 405)


def test_what_is_called_past_the_queue_is_wrapped_as_well():
    """A component's server functions are no handlers of events."""
    from lmlab.parts.run_widgets import Monitor

    with gr.Blocks():
        monitor = Monitor(lambda _: 1 / 0)
    (function,) = monitor.server_fns if hasattr(monitor, "server_fns") else monitor.server_functions
    with pytest.raises(gr.Error, match="went wrong"):
        function(None)
    assert handlers.OURS[0] is gr.EventData


def test_a_component_that_a_session_changed_stands_where_it_stood():
    with gr.Blocks() as page, gr.Column() as column:
        text = gr.Textbox()
    session = sessions.Session(page)
    session[text._id] = gr.Textbox(label="changed", render=False)
    changed = session[text._id]
    assert changed.label == "changed"
    assert (changed._id, changed.page, changed.rendered_in) == (text._id, text.page, None)
    # As Gradio tells of what it draws anew.
    told = session.blocks_config.get_config(SimpleNamespace(_id=1, container_id=column._id))
    assert {one["id"] for one in told["components"]} >= {column._id, text._id}
