"""The tree of what was tried: growing, going back, forking, and how it is told to the page."""

import json

from lmlab.features.completion.branches import ROOT, Tree, payload
from lmlab.generation.completions import Candidate, Step

WORDS = ("a", "b", "c")


def step(index: int, token: int) -> Step:
    top = tuple(Candidate(i, WORDS[i], -1.0 - i, 0.5 - 0.1 * i) for i in range(3))
    return Step(index, token, WORDS[token], "", -1.0 - token, 0.3, token + 1, 1.0, 1.0, top)


def grown(*tokens: int, tree: Tree | None = None) -> Tree:
    tree = tree or Tree.plant("base", "x")
    for token in tokens:
        tree = tree.grow(step(len(tree.path()), token))
    return tree


def rows(tree: Tree) -> list[dict]:
    return json.loads(payload(tree) or "[]")


def test_a_token_tried_before_is_not_doubled():
    tree = grown(0, 1)
    again = grown(1, tree=tree.undo())
    assert len(again.nodes) == 2
    assert again.ids == (0, 1)


def test_undo_stops_at_the_prompt():
    tree = grown(0).undo().undo()
    assert (tree.here, tree.ids) == (ROOT, ())


def test_a_fork_keeps_what_came_before_and_both_branches():
    tree = grown(0, 1, 2, 0)
    forked = tree.fork(2, 0)
    assert forked.ids == (0, 1, 0)
    assert forked.path()[-1].logprob == -1.0
    assert tree.fork(9, 0) is tree
    assert tree.fork(0, 9) is tree
    found = rows(forked)
    assert [row["words"] for row in found] == ["ab", "ca", "a"]
    assert [row["depth"] for row in found] == [0, 1, 1]
    assert [row["here"] for row in found] == [False, False, True]
    assert [row["on"] for row in found] == [True, False, True]
    assert forked.go(found[1]["node"]).ids == (0, 1, 2, 0)


def test_branches_tell_their_likelihood_and_length():
    (row,) = rows(grown(0, 1, 2))
    assert (row["tokens"], row["logprob"]) == (3, -6.0)
    assert rows(Tree.plant("base", "x")) == []


def test_a_long_branch_is_told_by_its_first_words():
    tree = grown(*[0] * 400)
    (row,) = rows(tree)
    assert len(row["words"]) < 40
    assert row["tokens"] == 400


def test_a_place_that_is_not_there_changes_nothing():
    tree = grown(0)
    assert tree.go(99) is tree
    assert tree.go(-5) is tree
