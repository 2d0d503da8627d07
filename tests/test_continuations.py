"""The tree of continuations: every area is what a fresh forward pass of its prefix gives."""

import csv
import io
import json
import math

import pytest
import torch

from lmlab import api
from lmlab.cli.main import main
from lmlab.errors import InputError, ModelError
from lmlab.features.completion import tree_views as views
from lmlab.features.completion.events import CONTROLS as TAB
from lmlab.features.completion.tree_page import EXTENT, Handlers
from lmlab.generation.config import GenerateConfig, TreeConfig
from lmlab.generation.continuations import ROOT, iter_tree, shaped
from lmlab.generation.sampling import warp
from lmlab.models.tokens import encode_prompt

PROMPT = "the little dog ran over the hill"
CONTROLS = GenerateConfig(
    temperature=0.7, top_k=300, top_p=0.9, min_p=0.002, repetition_penalty=1.3, seed=3
)
SMALL = TreeConfig(depth=3, width=4, expanded=5, beam=3, samples=3)


def last(work):
    """What a handler returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def grown(lm, config=CONTROLS, extent=SMALL, prompt=PROMPT, start=()):
    ids = encode_prompt(lm.vocabulary, prompt)
    *_, tree = iter_tree(lm, prompt, ids, config, extent, start)
    return tree


def fresh(lm, ids):
    """The logits after some ids, by the model's own plain forward pass."""
    with torch.no_grad():
        return lm.model(torch.tensor([ids])).logits[0, -1].float()


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_every_area_is_what_a_fresh_forward_pass_gives(folder, kind):
    lm = api.load(str(folder(kind, "bytelevel-bos")))
    tree = grown(lm)
    found = shaped(tree, CONTROLS)
    assert {one.depth for one in tree.places} == {0, 1, 2, 3}
    for place in tree.row:
        read = [*tree.ids, *tree.tokens(place)]
        logits = fresh(lm, read)
        own = logits.log_softmax(-1)
        after = warp(logits[None], torch.tensor([read]), CONTROLS)[0]
        below = [i for i, one in enumerate(tree.places) if one.parent == place]
        tokens = [tree.places[i].id for i in below]
        assert {*own.topk(4).indices.tolist()} <= {*tokens}
        assert [tree.places[i].logprob for i in below] == pytest.approx(
            own[tokens].tolist(), abs=1e-4
        )
        assert [found.after[i] for i in below] == pytest.approx(after[tokens].tolist(), abs=1e-5)
        # What is not seen is the rest, to the last bit of it.
        seen = [own[tokens].exp().sum().item(), after[tokens].sum().item()]
        assert found.rest[place] == pytest.approx([1 - one for one in seen], abs=1e-5)
        assert found.kept[place] == int((after > 0).sum())
    for i, one in enumerate(tree.places[1:], 1):
        total = sum(tree.places[j].logprob for j in tree.path(i))
        assert one.total == pytest.approx(total, abs=1e-9)


def test_most_probable_places_come_first_and_every_path_goes_to_the_end(folder):
    lm = api.load(str(folder("llama", "bytelevel-bos")))
    tree = grown(lm)
    assert tree.row.keys() >= {*tree.greedy[:-1]} | {i for path in tree.beams for i in path[:-1]}
    level = [i for i, one in enumerate(tree.places) if one.depth == 1]
    best = sorted(level, key=lambda i: -tree.places[i].total)[:2]
    assert {*best} <= tree.row.keys()
    assert all(len(path) == 3 for path in (tree.greedy, *tree.beams))


def test_the_beam_is_that_of_all_hypotheses(folder):
    lm = api.load(str(folder("llama", "bytelevel-bos")))
    ids, held = encode_prompt(lm.vocabulary, PROMPT), [((), 0.0)]
    for _ in range(3):
        wider = []
        for path, total in held:
            own = fresh(lm, [*ids, *path]).log_softmax(-1).tolist()
            wider += [((*path, token), total + one) for token, one in enumerate(own)]
        held = sorted(wider, key=lambda one: -one[1])[:3]
    tree = grown(lm)
    assert [tree.tokens(path[-1]) for path in tree.beams] == [path for path, _ in held]
    narrow = grown(lm, extent=TreeConfig(depth=3, width=1, expanded=1, beam=1, samples=0))
    assert narrow.beams == (narrow.greedy,)


def test_samples_are_the_completions_of_their_seeds(folder):
    path = str(folder("llama", "bytelevel-bos"))
    tree = grown(api.load(path))
    config = GenerateConfig(
        max_new_tokens=3, temperature=0.7, top_k=300, top_p=0.9, min_p=0.002,
        repetition_penalty=1.3, seed=3,
    )  # fmt: skip
    found = shaped(tree, CONTROLS).samples
    drawn = api.complete(path, PROMPT, config, n=3)
    assert [(tree.tokens(one[-1]), out) for one, out in found] == [(d.ids, False) for d in drawn]
    # Other controls may draw what the tree does not have: that is said, and nothing is made up.
    other = shaped(tree, GenerateConfig(temperature=5, seed=3)).samples
    assert any(out and len(one) < 3 for one, out in other)


def test_going_in_is_the_tree_of_the_longer_prompt(folder):
    lm = api.load(str(folder("llama", "bytelevel-bos")))
    tree = grown(lm)
    inside = grown(lm, start=tree.tokens(tree.greedy[0]))
    deeper = [i for i, one in enumerate(tree.places) if one.parent == tree.greedy[0]]
    mine = {one.id: one.logprob for one in inside.places if one.parent == ROOT}
    assert deeper
    for one in (tree.places[i] for i in deeper):
        if one.id in mine:
            assert mine[one.id] == pytest.approx(one.logprob, abs=1e-4)


def test_greedy_controls_leave_one_path(folder):
    lm = api.load(str(folder("llama", "bytelevel-bos")))
    config = GenerateConfig(temperature=0)
    tree = grown(lm, config)
    found = shaped(tree, config)
    assert found.along(tree.greedy) == 1
    assert {path for path, _ in found.samples} == {tree.greedy}
    assert sum(found.after[i] > 0 for i, one in enumerate(tree.places) if one.depth == 1) == 1


def test_where_the_context_ends_the_tree_does(folder):
    lm = api.load(str(folder("llama", "bytelevel-bos")))
    ids = encode_prompt(lm.vocabulary, PROMPT)
    room = [*ids, *[ids[-1]] * (lm.context - len(ids) - 1)]
    *_, tree = iter_tree(lm, PROMPT, room, CONTROLS, TreeConfig(depth=5))
    assert tree.depth == 2
    with pytest.raises(InputError, match="reads at most"):
        [*iter_tree(lm, PROMPT, [*room, 1, 1])]


def test_what_gives_no_distributions_is_told():
    with pytest.raises(ModelError, match="gives no whole next-token distributions"):
        grown(api.load("mock:served"))


def test_an_end_token_ends_its_branch():
    lm = api.load("mock:scripted")
    tree = grown(lm, GenerateConfig(), TreeConfig(depth=3, width=32))
    ended = [i for i, one in enumerate(tree.places) if one.end]
    assert ended
    assert not {*ended} & tree.row.keys()


def test_the_command_prints_the_tree_as_json_csv_and_text(folder, capsys):
    words = ["tree", "--model", str(folder("llama", "bytelevel-bos")), "--prompt", PROMPT]
    words += ["--depth", "2", "--width", "3", "--samples", "2", "--temperature", "0.8"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main([*words, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [int(row["place"]) for row in rows] == [one["place"] for one in found["places"]]
    root = [one for one in found["places"] if one["parent"] == 0]
    (rest,) = [one for one in found["rest"] if one["place"] == 0]
    own = sum(math.exp(one["logprob"]) for one in root) + rest["probability"]
    after = sum(one["after"] for one in root) + rest["after"]
    assert (own, after) == pytest.approx((1, 1), abs=1e-5)
    assert len(found["samples"]) == 2
    assert main(words) == 0
    assert "greedy" in capsys.readouterr().out
    assert main(["tree", "--model", "mock:served", "--prompt", "a"]) == 2
    assert "whole next-token distributions" in capsys.readouterr().err


def test_the_receipt_gives_areas_again(numbers):
    lm = api.load("tiny")
    tree = grown(lm)
    told = views.facts(tree, shaped(tree, CONTROLS))
    start = (tree.places[tree.greedy[0]].id,)
    inside = grown(lm, start=start)
    more = views.facts(inside, shaped(inside, CONTROLS))
    for first, facts in (((), told), (start, more)):
        found = numbers(views.receipt("tiny", PROMPT, first, facts, CONTROLS))
        wanted = [one for _, _, total, after in facts for one in (total, after)]
        assert found == pytest.approx(wanted, abs=1e-4)


def test_controls_reshape_a_map_without_the_model(mock_lab, monkeypatch):
    lab = mock_lab(model="base")
    does = Handlers(lab, TAB)
    first = last(does.draw("the dog", "base", False, *EXTENT.first, *TAB.first))
    monkeypatch.setattr(type(lab), "run", None)  # no model is run from here on
    values = dict(zip(TAB.names, TAB.first, strict=True))
    shown = last(does.shape(first["kept"], *(values | {"top_k": 1}).values()))
    before, after = json.loads(first["map"]), json.loads(shown["map"])
    assert [one[:3] for one in before["places"]] == [one[:3] for one in after["places"]]
    assert {one[3] for one in after["places"]} == {0, 1}
