"""The page's modules by themselves, without Gradio: formats, the strip, tabs made later."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page

from lmlab.page.web_files import files
from tests.test_formats import CASES

pytestmark = pytest.mark.browser
KINDS = {"js": "text/javascript", "css": "text/css"}
SHEET = '<meta charset="utf-8"><link rel="stylesheet" href="style.css"><div id="here"></div>'
# What Gradio gives a component; what it is told goes to ``window.told``.
GIVEN = """
  window.told = [];
  window.watched = {};
  const given = { props, watch: (name, act) => { watched[name] = act; },
    trigger: (name, detail) => told.push([name, detail]), server: {} };
"""

PARTS = ["tools", "measures", "legend", "notes", "runs", "empty", "pinned", "card", "live"]


class Files(BaseHTTPRequestHandler):
    """Serves the modules as the page does, and an empty page."""

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        body = files().get(name, SHEET.encode() if not name else None)
        self.send_response(200 if body is not None else 404)
        self.send_header("content-type", KINDS.get(name.rpartition(".")[2], "text/html"))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def module_page(browser: Browser) -> Iterator[Page]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield page
    page.close()
    server.shutdown()
    assert not errors


def called(page: Page, module: str, body: str, given: object = None) -> object:
    """What a body of code gives that has a module as ``m`` and something given as ``g``."""
    code = f"async (g) => {{ const m = await import('/{module}.js'); {body} }}"
    return page.evaluate(code, given)


@pytest.mark.parametrize("name", CASES)
def test_a_format_writes_what_python_writes(module_page, name):
    module = "parts/web/measures" if name == "level" else "parts/web/format"
    given = [case[:-1] for case in CASES[name]]
    found = called(module_page, module, f"return g.map((one) => m.{name}(...one));", given)
    assert found == [case[-1] for case in CASES[name]]


# What begins with a page of its own, where it finds its parts; test_lecture and test_room load it.
PAGES = {"page/lecture/presenter.js", "page/room/phone.js"}


@pytest.mark.parametrize("name", sorted({one for one in files() if one.endswith(".js")} - PAGES))
def test_a_module_loads_by_itself(module_page, name):
    assert called(module_page, name.removesuffix(".js"), "return typeof m;") == "object"


def test_a_tab_made_later_begins_at_once_or_once_it_is_filled_in(module_page):
    mount = partial(called, module_page, "parts/web/opening")
    body = f"""
      const props = {{ tab: g }}; {GIVEN}
      if (g === "held") m.hold(g);
      m.mount(document.getElementById("here"), given);
      await new Promise((done) => setTimeout(done, 100));
      const before = told.length;
      m.release(g);
      return [m.isMade(g), before, told];
    """
    assert mount(body, "free") == [True, 1, [["open", {}]]]
    assert mount(body, "held") == [True, 0, [["open", {}]]]


def test_the_strip_draws_tells_and_pins(module_page):
    run = {
        "model": "m", "context": [], "prefix": "", "cut": False, "bpb": None,
        "texts": ["Once", " upon"], "logprob": [None, -2000], "rank": [None, 2],
        "tops": {"words": [" upon", " a"], "rows": [None, [0, 0, 2000, 1, 2500]]},
    }  # fmt: skip
    value = json.dumps(
        {"name": "n", "same": False, "measures": ["surprisal", "rank"], "notes": [], "runs": [run]}
    )
    body = f"""
      const strip = await import("/parts/web/strip.js"), host = document.getElementById("here");
      for (const name of {PARTS}) host.append(Object.assign(document.createElement("div"),
        {{ className: "lm-" + name }}));
      const props = {{ value: g, group: "unit", colour_by: "surprisal" }}; {GIVEN}
      strip.mount(host, given);
      const tokens = [...host.querySelectorAll(".lm-tok[data-i]")];
      tokens[1].click();
      return [tokens.map((one) => one.textContent), /\\bb\\d/.test(tokens[1].className),
        host.querySelector(".lm-pinned").textContent, window.lmlab.shown.unit.name];
    """
    texts, coloured, pinned, name = called(module_page, "parts/web/dom", body, value)
    assert (texts, coloured, name) == (["Once", " upon"], True, "n")
    assert "token 2 of 2" in pinned
