"""A measure from outside of the package in a browser: strip, card and table know it."""

import pytest
from playwright.sync_api import Page, expect

from lmlab.lab import Lab
from lmlab.measures import VARIABLE, measure, measures
from lmlab.scoring.scored import Scored
from tests.test_measures import SCARCITY

pytestmark = pytest.mark.browser
STRIP, TABLE = "#likelihood-strip", "#likelihood-factors"


@pytest.fixture
def lab(mock_lab) -> Lab:
    return mock_lab()


@pytest.fixture
def page(visit, serve_lab, lab, tmp_path, monkeypatch) -> Page:
    """The Likelihood tab of a lab with one measure more."""
    (tmp_path / "scarcity.py").write_text(SCARCITY, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    opened = visit(serve_lab(lab, "likelihood"))
    expect(opened.locator(f"{STRIP} .lm-tok").first).to_be_visible()
    return opened


def test_a_measure_is_in_strip_card_and_table_with_pythons_values(page, lab):
    text = page.get_by_label("Text to score").input_value()
    prefix = page.get_by_label("Prefix").input_value()
    steps = lab.score(lab.settings.model, text, prefix)
    found = next(step for step in steps if isinstance(step, Scored))
    i = 3
    shown = {
        one.key: one.show(found.measured(one.key)[i]) for one in measures(found.tokens.columns)
    }
    page.get_by_label("log-odds against", exact=True).check(force=True)
    expect(page.locator(f"{STRIP} .lm-legend .lm-formula")).to_contain_text("ln (1 − p(x")
    token = page.locator(f"{STRIP} .lm-tok").nth(i)
    level = measure("scarcity").level(found.measured("scarcity")[i])
    assert f"b{level}" in token.get_attribute("class").split()
    token.hover()
    facts = page.locator(f"{STRIP} .lm-card.show .lm-facts")
    expect(facts).to_contain_text("odds" + shown["scarcity"] + " nats")
    names = page.locator(f"{TABLE} thead th").all_text_contents()
    cells = page.locator(f"{TABLE} tbody tr").nth(i).locator("td").all_text_contents()
    told = dict(zip(names, cells, strict=True))
    for one in measures(found.tokens.columns):
        assert told[", ".join(filter(None, (one.short, one.unit)))] == shown[one.key]
