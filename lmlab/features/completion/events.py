"""What happens on the Completion tab: handlers that ask the lab and hand results to the views."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.completion import branches
from lmlab.features.completion.branches import Tree
from lmlab.features.completion.views import REASONS, figures, samples
from lmlab.generation.completions import Completion, Given, Next, Step
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.parts import shift_strip
from lmlab.parts.alternatives import index_of
from lmlab.parts.asking import advice
from lmlab.parts.forms import Controls
from lmlab.parts.stream import STATUS, Busy, Pace, Work, said
from lmlab.progress import Loading

SHAPING = ("temperature", "top_p", "min_p", "repetition_penalty", "top_k")
# At temperature 1 the small models of the suite soon lose the thread; the rest is as the model
# gives it, so that the chart shows one control's work at a time.
CONTROLS = Controls(
    "completion",
    GenerateConfig(max_new_tokens=48, temperature=0.8),
    (SHAPING[:4], ("top_k", "max_new_tokens", "seed", "stop")),
    "Type a number, or press Reset.",
)
PATIENCE = 0.06  # seconds between two drawings of a completion on its way
ENDED = "The model has ended the text here. Undo a token, fork, or press Regenerate."
NOTHING_NEXT = "The text has ended: nothing comes next."


def runner(lab: Lab, *, single: bool = False) -> Callable[..., Work]:
    """The handler of Run and Step: goes on from what is shown."""

    def run(tree: Tree | None, prompt: str, model: str, chat: bool, *values: Any) -> Work:
        grown = _tree(tree, prompt, model, chat)
        if grown.ended:
            raise InputError(ENDED)
        asked, already = CONTROLS.read(*values), len(grown.path())
        longest = already + (1 if single else asked.max_new_tokens)
        return (yield from _follow(lab, grown, replace(asked, max_new_tokens=longest)))

    return run


def regenerator(lab: Lab) -> Callable[..., Work]:
    """The handler of Regenerate: the whole completion again, with the seed that ``seeded`` set."""

    def again(tree: Tree | None, prompt: str, model: str, chat: bool, *values: Any) -> Work:
        grown = _tree(tree, prompt, model, chat)
        return (yield from _follow(lab, grown.go(branches.ROOT), CONTROLS.read(*values)))

    return again


def opener(lab: Lab) -> Callable[..., Work]:
    """What the tab opens with, the first time: a completion of its example."""

    def opened(tree: Tree | None, prompt: str, model: str, chat: bool, *values: Any) -> Work:
        return (yield from _follow(lab, Tree.plant(model, prompt, chat), CONTROLS.read(*values)))

    return opened


def mover(lab: Lab, move: Callable[..., Tree]) -> Callable[..., Work]:
    """A handler that shows another node of the tree, and what the model believes there."""

    def moved(tree: Tree | None, *values: Any, **event: Any) -> Work:
        if tree is None:
            raise InputError("There is nothing yet.", "Press Run or Step first.")
        return (yield from _look(lab, move(tree, **event), CONTROLS.read(*values)))

    return moved


def undoer(lab: Lab) -> Callable[..., Work]:
    """The handler of Undo."""
    return mover(lab, lambda tree: tree.undo())


def forker(lab: Lab) -> Callable[..., Work]:
    """The handler of a click on an alternative of a token that is there."""
    go = mover(lab, lambda tree, index, which: tree.fork(index, which))

    def forked(tree: Tree | None, event: gr.EventData, *values: Any) -> Work:
        index, which = index_of(event, "i"), index_of(event, "which")
        return (yield from go(tree, *values, index=index, which=which))

    return forked


def goer(lab: Lab) -> Callable[..., Work]:
    """The handler of a click on a branch."""
    go = mover(lab, lambda tree, node: tree.go(node))

    def gone(tree: Tree | None, event: gr.EventData, *values: Any) -> Work:
        return (yield from go(tree, *values, node=index_of(event, "node")))

    return gone


def chooser(lab: Lab) -> Callable[..., Work]:
    """The handler of a click on a token of the next-token chart: it is taken."""

    def chosen(tree: Tree | None, event: gr.EventData, *values: Any) -> Work:
        which = index_of(event, "which")
        if tree is None or tree.place is None:
            return None
        asked = CONTROLS.read(*values)
        found = lab.beliefs(tree.place, asked)
        if not 0 <= which < len(found.top):
            raise InputError("That token is not there any more.", "Choose another one.")
        step = _by_hand(tree, found.top[which].id, which, found)
        return (yield from _look(lab, tree.choose(step), asked))

    return chosen


def shaper(lab: Lab) -> Callable[..., Any]:
    """The handler of a control: the next-token chart again, from what is kept; runs no model."""

    def shaped(tree: Tree | None, *values: Any) -> Any:
        if tree is None or tree.place is None:
            return gr.skip()
        return shift_strip.next_token(lab.beliefs(tree.place, CONTROLS.read(*values)))

    return shaped


def sampler(lab: Lab) -> Callable[..., Work]:
    """The handler that draws many completions."""

    def sampled(n: int, length: int, prompt: str, model: str, chat: bool, *values: Any) -> Work:
        if n is None or length is None:
            raise InputError("How many samples, and how long?", "Type two numbers.")
        asked = replace(CONTROLS.read(*values), max_new_tokens=int(length))
        asked = replace(asked, alternatives=1)
        yield Busy(f"{model}: reading …")
        drawn: list[list[Step]] = [[] for _ in range(int(n))]
        pace = Pace(PATIENCE)
        for event in lab.sample(model, prompt or "", asked, int(n), chat=chat):
            if isinstance(event, Loading):
                yield event
                continue
            which, step = event
            drawn[which].append(step)
            if pace.is_due():
                done = step.index + 1
                yield Busy(f"{int(n)} samples: token {done}", done / asked.max_new_tokens)
        runs = [Completion(model, prompt or "", tuple(steps)) for steps in drawn]
        return {"samples": samples(runs)}

    return sampled


def seeded(seed: int | None) -> int:
    """The next seed."""
    return int(seed or 0) + 1


def _tree(tree: Tree | None, prompt: str, model: str, chat: bool) -> Tree:
    """The tree of a prompt: the one that is shown, or a new one."""
    prompt = prompt or ""
    if tree is None or (tree.prompt, tree.model, tree.chat) != (prompt, model, chat):
        return Tree.plant(model, prompt, chat)
    return tree


def _follow(lab: Lab, tree: Tree, asked: GenerateConfig) -> Work:
    """Draw a completion as it grows."""
    yield Busy(f"{tree.model}: reading …", 0, draw(lab, tree, asked))
    pace, start = Pace(PATIENCE), len(tree.path())
    tree = tree.drawing(asked)
    for event in _complete(lab, tree, asked):
        if isinstance(event, Loading):
            yield event
        elif isinstance(event, Given):
            tree = replace(tree, given=event)
        elif isinstance(event, Next):
            tree = replace(tree, place=event)
        else:
            tree = tree.grow(event)
            if pace.is_due():
                done = event.index + 1
                share = (done - start) / max(1, asked.max_new_tokens - start)
                yield Busy(f"{tree.model}: token {done:,}", share, draw(lab, tree, asked))
    reason = REASONS.get(tree.path()[-1].finish or "", "") if tree.nodes else ""
    return {STATUS: said(f"Ended: {reason}." if reason else ""), **draw(lab, tree, asked)}


def _look(lab: Lab, tree: Tree, asked: GenerateConfig) -> Work:
    """Draw where a visitor went; the model is asked for its belief there, for nothing else."""
    yield Busy(f"{tree.model}: reading …", 0, draw(lab, tree, asked))
    if not tree.ended:
        there = replace(asked, max_new_tokens=max(1, len(tree.path())), alternatives=10)
        tree = replace(tree, place=_place(lab, tree, there))
    return draw(lab, tree, asked)


def _place(lab: Lab, tree: Tree, asked: GenerateConfig) -> Next | None:
    with closing(_complete(lab, tree, asked)) as events:
        return next((event for event in events if isinstance(event, Next)), None)


def _complete(lab: Lab, tree: Tree, asked: GenerateConfig) -> Any:
    return lab.complete(tree.model, tree.prompt, asked, tree.ids, chat=tree.chat)


def draw(lab: Lab, tree: Tree, asked: GenerateConfig) -> dict[str, Any]:
    """What a completion is shown in, and what the session keeps of it."""
    path = tree.path()
    ended = NOTHING_NEXT if tree.ended else "…"
    found = None if tree.place is None else lab.beliefs(tree.place, asked)
    flow = shift_strip.flowing(tree.name, tree.model, tree.form, path, forks=True, start=tree.start)
    return {
        "strip": flow,
        "chart": shift_strip.next_token(found, ended),
        "figures": figures(Completion(tree.model, tree.prompt, path)),
        "branches": branches.payload(tree),
        "advice": advice(tree.given, "completion"),
        "tree": tree,
    }


def _by_hand(tree: Tree, token: int, which: int, found: Any) -> Step:
    from lmlab.generation.sampling import choose

    step = choose(found, which, len(tree.path()))
    ends = tree.place.ends if tree.place else frozenset()
    return replace(step, finish="end") if token in ends else step
