"""The page as it is hosted: under its policy in a real browser, with hostile text in it, and with
parts of it switched off.
"""

import httpx
import pytest
from playwright.sync_api import expect

from lmlab.features import features
from lmlab.lab import Lab
from lmlab.settings import Settings
from tests.test_visitors import ask, gated, pages, until
from tests.ui.conftest import handed_over

pytestmark = pytest.mark.browser
SCRIPT = (
    '<img src=x onerror="window.cracked=1"><script>window.cracked=1</script>${window.cracked=1}'
)
WATCH = """window.violations = []; document.addEventListener('securitypolicyviolation',
  event => window.violations.push(event.violatedDirective + ' ' + event.blockedURI));"""


@pytest.fixture(scope="module")
def address(real_address) -> str:
    """The page over the embedded suite; with LMLAB_TEST_ADDRESS, the one that is hosted there."""
    return real_address


@pytest.fixture(scope="module")
def shut_address(serve_lab, tmp_path_factory):
    """A page without uploads and training."""
    settings = Settings(
        public=True, offline=True, uploads=False, training=False,
        runs_dir=tmp_path_factory.mktemp("runs"),
    )  # fmt: skip
    return serve_lab(Lab.open(settings))


def watched(visit, address):
    """An opened page that notes what its policy blocks."""
    page = visit("about:blank")
    page.add_init_script(WATCH)
    page.goto(address)
    return page


def test_every_tab_under_the_policy_and_hostile_text_in_it(visit, address):
    page = watched(visit, address)
    for tab in features():
        opened = page.get_by_role("tab", name=tab.title, exact=True)
        opened.click()
        expect(opened).to_have_attribute("aria-selected", "true")
        if not tab.first.press:
            expect(page.locator(tab.first.ready).first).to_be_visible()
    page.get_by_role("tab", name="Likelihood", exact=True).click()
    page.get_by_label("Text to score").fill(SCRIPT)
    page.get_by_label("Prefix").fill(SCRIPT)
    handed_over(page)
    page.locator("#likelihood-go").click()
    page.wait_for_function(
        "text => window.lmlab.shown.likelihood?.runs[0].texts.join('') === text", arg=SCRIPT
    )
    expect(page.locator("#likelihood-factors tbody tr").first).to_be_visible()
    expect(page.locator("#likelihood-plot .js-plotly-plot")).to_be_visible()
    page.get_by_role("tab", name="Prompt", exact=True).click()
    page.get_by_role("button", name="A table of your own").click()
    rows = '{"__proto__": "%s", "text": "%s", "label": "constructor"}' % (
        (SCRIPT.replace('"', "'"),) * 2
    )
    page.locator("#prompt-pasted textarea").fill("\n".join([rows] * 8))
    handed_over(page)
    page.locator("#prompt-use").click()
    expect(page.locator("#prompt-said")).to_contain_text("8 rows")
    handed_over(page)
    assert page.evaluate("window.cracked") is None
    assert page.evaluate("({}).polluted") is None
    assert page.evaluate("window.violations") == []

    # What stops a handler that got in nonetheless is the policy.
    page.evaluate(
        "html => document.body.insertAdjacentHTML('beforeend', html)",
        '<img src="data:," onerror="window.cracked = 1">',
    )
    page.wait_for_function("window.violations.length")
    assert page.evaluate("window.cracked") is None
    assert any("script-src" in one for one in page.evaluate("window.violations"))


def test_what_is_switched_off_is_said_in_a_sentence(visit, shut_address):
    page = visit(shut_address)
    page.get_by_role("tab", name="Fine-tune", exact=True).click()
    expect(page.locator("#tuning-off")).to_contain_text("switched off on this page")
    expect(page.locator("#tuning-start-go")).to_have_count(0)
    page.get_by_role("button", name="A table of your own").click()
    expect(page.get_by_text("Uploads are switched off").first).to_be_visible()
    expect(page.locator("#tuning-upload")).to_have_count(0)
    expect(page.locator("#tuning-pasted")).to_be_visible()
    files = {"files": ("x.csv", b"a,b\n")}
    assert httpx.post(f"{shut_address}/gradio_api/upload", files=files).status_code == 403


def test_a_full_line_is_said_in_a_sentence(visit, serve_lab, mock_lab):
    lab = gated(mock_lab(max_waiting=1))
    lab.gate.set()
    address = serve_lab(lab, "likelihood")
    page = visit(address)
    until(lambda: lab.ended)  # what the page shows before is prepared
    lab.gate.clear()
    # Three are under way, one waits: there is no room for a fifth.
    with pages(address, *(f"visitor{i}" for i in range(4))):
        for i in range(4):
            assert ask(address, f"visitor{i}", "some text").status_code == 200
            until(lambda i=i: len(lab.order) >= min(i + 2, 4))
        page.locator("#likelihood-go").click()
        toast = page.get_by_test_id("toast-body")
        expect(toast).to_contain_text("1 request is waiting already")
        expect(toast).to_contain_text("Try again")
        lab.gate.set()
