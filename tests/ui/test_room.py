"""A lecturer and some phones, from the code on the screen to the end of the room."""

import pytest
from playwright.sync_api import expect

from tests.ui.test_access import PHONE, SCRIPTS, faults

pytestmark = pytest.mark.browser
READY = '#lecture .lm-lecture[data-state="ready"]'
ROW = "#lecture .lm-roomrow"


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def sound(page):
    """Everybody can use what is shown now, as far as axe-core tells."""
    page.evaluate(SCRIPTS)
    assert faults(page) == []


def answered(page, said):
    expect(page.locator(f"{ROW} .lm-roomcount")).to_contain_text(said)


def test_a_room_from_its_code_to_its_end(visit, small_page):
    address = small_page("likelihood")
    lecturer = visit(f"{address}?scene=by-hand")
    expect(lecturer.locator(READY)).to_be_visible()
    lecturer.locator("#lecture .lm-room").click()
    expect(lecturer.locator(".lm-why2")).to_contain_text("lmlab app --room")
    code = lecturer.locator(".lm-roomcode").inner_text()
    sound(lecturer)
    press(lecturer, "Close")
    phones = [visit(f"{address}/room/{code}", viewport=PHONE) for _ in range(2)]
    late = visit(f"{address}/room/wrong", viewport=PHONE, color_scheme="dark")
    expect(late.get_by_role("status")).to_contain_text("There is no room ‘WRONG’")
    late.get_by_label("The code on the screen").fill(code.lower())
    press(late, "Go in")
    phones.append(late)
    options_twice(lecturer, phones)
    number(lecturer, phones)
    next_word(lecturer, phones)
    ended(lecturer, phones)


def options_twice(lecturer, phones):
    """Two votes beside each other, neither seen before the lecturer shows them."""
    for phone, answer in zip(phones, ("sat", "sat", "cat"), strict=True):
        press(phone, answer)
        expect(phone.get_by_role("status")).to_contain_text("Your answer is in")
        sound(phone)
    answered(lecturer, "3 of 3 phones answered")
    expect(lecturer.locator(".votes")).to_have_count(0)
    press(lecturer, "End the vote")
    expect(lecturer.locator(ROW)).to_contain_text("talk to a neighbour")
    expect(phones[0].get_by_role("status")).to_have_text("The vote is over.")
    press(lecturer, "Vote again")
    press(phones[2], "sat")
    answered(lecturer, "Vote 2: 1 of 3 phones answered")
    press(lecturer, "End the vote")
    press(lecturer, "Show the votes")
    expect(lecturer.locator(f"{ROW} .votes li").nth(2)).to_contain_text("2 → 1")
    expect(phones[0].locator("li").nth(1)).to_contain_text("1 → 0")
    expect(phones[0].locator(".right")).to_have_count(0)
    lecturer.locator("#lecture .lm-show").last.click()
    expect(phones[2].locator("li.right")).to_contain_text("sat")
    expect(lecturer.locator(".lm-roomresult li.right")).to_contain_text("sat")
    sound(phones[2])


def number(lecturer, phones):
    """A number, sent, over a reload of the phone and of the screen; then the truth among all."""
    lecturer.keyboard.press("PageDown")
    for phone, value in zip(phones[:2], ("1,500", "20"), strict=True):
        phone.get_by_label("Your number").fill(value)
        press(phone, "Send")
        expect(phone.get_by_role("status")).to_contain_text("Your answer is in")
    phones[0].reload()
    expect(phones[0].get_by_label("Your number")).to_have_value("1500")
    lecturer.reload()
    expect(lecturer.locator(READY)).to_be_visible()
    lecturer.goto(lecturer.url.replace("by-hand", "sense-and-nonsense"))
    expect(lecturer.locator(READY)).to_be_visible()
    answered(lecturer, "2 of 3 phones answered")
    expect(lecturer.locator("#likelihood-figures .v").first).to_be_attached()
    lecturer.locator("#lecture .lm-ask .lm-show").first.click()
    expect(phones[0].locator("li.right")).to_contain_text("✓")
    expect(lecturer.locator(".lm-roomresult li.right")).to_contain_text("✓")


def next_word(lecturer, phones):
    """A text, guessed word by word, beside the models; then back to the scene."""
    lecturer.locator("#lecture .lm-room").click()
    lecturer.get_by_label("A text, guessed").fill("The dog ran home again today.")
    press(lecturer, "Guess the next word")
    expect(phones[0].locator(".text")).to_have_text("The dog ran ___")
    phones[0].get_by_label("Your word").fill("Home!")
    press(phones[0], "Send")
    expect(phones[0].get_by_role("status")).to_contain_text("Your answer is in")
    press(lecturer, "Show the guesses")
    expect(lecturer.locator(".lm-roompanel .votes li")).to_contain_text("home")
    press(lecturer, "Show the word")
    rows = lecturer.locator(".lm-guessers tbody tr")
    expect(rows.first).to_contain_text("the room")
    expect(phones[0].locator("li.right")).to_contain_text("home")
    sound(lecturer)
    sound(phones[0])
    press(lecturer, "Next word")
    expect(phones[0].locator(".text")).to_have_text("The dog ran home ___")
    press(lecturer, "Back to the scene")
    expect(phones[0].locator("h2")).to_have_text("Sense against nonsense")


def ended(lecturer, phones):
    """Answers are saved; then nothing is left."""
    with lecturer.expect_download() as caught:
        press(lecturer, "Save answers (CSV)")
    text = caught.value.path().read_text(encoding="utf-8-sig")
    assert "by-hand" in text
    assert "sense-and-nonsense" in text
    press(lecturer, "End the room")
    for phone in phones:
        expect(phone.get_by_role("status")).to_contain_text("This room is closed")
