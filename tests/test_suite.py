"""What the shipped suite does, and whether the scenes' sentences are true of it."""

import json

import pytest
import yaml

import lmlab
from lmlab.models.model import LM
from recipes import debris, fluency
from recipes.config import ASSETS

MODELS, SCENES = ASSETS / "models", ASSETS / "scenes"


@pytest.fixture(scope="module")
def base() -> LM:
    return lmlab.load("base")


def inputs(scene: str) -> dict[str, str]:
    (file,) = SCENES.glob(f"??-{scene}.yaml")
    found: dict[str, str] = yaml.safe_load(file.read_text(encoding="utf-8"))["inputs"]
    return found


def scored(scene: str, model: LM) -> lmlab.Scored:
    asked = inputs(scene)
    return lmlab.score(model, asked["text"], prefix=asked["prefix"])


def test_from_nothing_the_base_writes_language(base):
    texts = debris.samples(MODELS / "base", 200, 0.8)
    special = base.tokenizer.all_special_tokens
    bad = [text for text in texts if debris.found(text, special)]
    assert len(bad) <= 4, bad


def test_after_a_question_the_base_goes_on_fluently(base):
    judged = fluency.judged(base, lmlab.load("small"))
    wrong = [(text, kinds) for text, _, kinds in judged if kinds]
    assert len(judged) == fluency.ASKED
    assert len(wrong) <= 5, wrong


def test_it_learns_from_shots_what_it_was_not_asked_in_that_layout():
    report = json.loads((MODELS / "report.json").read_text(encoding="utf-8"))
    table = {
        name.removeprefix("few_shot/base/"): found["held out"]
        for name, found in report.items()
        if name.startswith("few_shot/base/")
    }
    better = [task for task, row in table.items() if row["5"][0] > row["0"][0]]
    assert len(better) > 0.8 * len(table), sorted(set(table) - set(better))


def test_by_hand_sat_is_the_least_likely_word(base):
    tokens = scored("by-hand", base).tokens
    assert min(tokens, key=lambda token: token.logprob).text == " sat"


def test_nonsense_is_much_less_likely_than_sense(base):
    nonsense = scored("sense-and-nonsense", base)
    assert nonsense.perplexity > 500


def test_a_noise_in_the_night_makes_the_bear_likelier(base):
    with_it = scored("conditional", base)
    without = lmlab.score(base, inputs("conditional")["text"])
    assert with_it.logprob > without.logprob


def test_the_base_tells_a_story_where_the_tuned_model_answers(base):
    prompt = inputs("base-cannot-answer")["prompt"]
    greedy = lmlab.GenerateConfig(temperature=0.0, max_new_tokens=40, alternatives=0)
    (story,) = lmlab.complete(base, prompt, greedy)
    assert not debris.found(story.text.encode(), base.tokenizer.all_special_tokens), story.text
    assert len(story.text.split()) > 15
    assert "harder" not in story.text
    config = lmlab.GenerateConfig(temperature=1.0, max_new_tokens=8, seed=1, alternatives=0)
    answers = lmlab.complete("qa", inputs("sampling-tuned")["prompt"], config, n=16)
    assert sum(one.text.strip() == "harder" for one in answers) >= 12


def test_fine_tuning_moves_most_at_the_first_token_of_the_answer():
    asked = inputs("slight-change")
    found = lmlab.compare("base", "base+qa", asked["text"])
    moved = [difference or 0.0 for difference in found.differences]
    most = moved.index(max(moved, key=abs))
    answer = asked["text"].partition("<|answer|>")[2]
    assert answer.startswith(found.first.tokens[most].text)


def test_prompts_and_tuning_come_in_the_order_that_is_said():
    asked = inputs("few-to-zero")
    wording, count = asked["wording"], int(asked["queries"])
    zero = lmlab.evaluate(asked["model"], wording, limit=count).accuracy.mean
    few = lmlab.evaluate(
        asked["model"], wording, shots=int(asked["shots"]), limit=count
    ).accuracy.mean
    tuned = lmlab.evaluate(asked["second"], wording, limit=count).accuracy.mean
    assert zero < few < tuned
