"""What happens on the Completion tab: handlers that ask the lab and hand results to the views."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from lmlab.errors import InputError
from lmlab.features.completion import branches
from lmlab.features.completion.branches import ROOT, Tree
from lmlab.features.completion.views import REASONS, figures, samples
from lmlab.generation.completions import Completion, Given, Next, Step
from lmlab.generation.config import GenerateConfig
from lmlab.lab import Lab
from lmlab.models.backends import lacking
from lmlab.models.gives import DISTRIBUTIONS
from lmlab.parts import shift_strip
from lmlab.parts.alternatives import index_of
from lmlab.parts.asking import advice
from lmlab.parts.forms import Controls
from lmlab.parts.receipt_button import Note, quoted
from lmlab.parts.stream import STATUS, Busy, Pace, Work, said
from lmlab.progress import Loading
from lmlab.receipts.texts import completion

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


@dataclass(frozen=True)
class Handlers:
    """What the tab's buttons and clicks do; ``values`` are those of the sampling controls."""

    lab: Lab

    def run(self, tree: Tree | None, prompt: str, model: str, chat: bool, *values: Any) -> Work:
        """Go on from what is shown, to the end."""
        asked = CONTROLS.read(*values)
        return (yield from self._on(_tree(tree, prompt, model, chat), asked, asked.max_new_tokens))

    def step(self, tree: Tree | None, prompt: str, model: str, chat: bool, *values: Any) -> Work:
        """Go on from what is shown, by one token."""
        grown = _tree(tree, prompt, model, chat)
        return (yield from self._on(grown, CONTROLS.read(*values), 1))

    def _on(self, tree: Tree, asked: GenerateConfig, more: int) -> Work:
        if tree.ended:
            raise InputError(ENDED)
        longest = replace(asked, max_new_tokens=len(tree.path()) + more)
        return (yield from self._follow(tree, longest))

    def again(self, tree: Tree | None, prompt: str, model: str, chat: bool, *values: Any) -> Work:
        """The whole completion again, with the seed that ``seeded`` set."""
        grown = _tree(tree, prompt, model, chat)
        return (yield from self._follow(grown.go(ROOT), CONTROLS.read(*values)))

    def open(self, tree: Tree | None, prompt: str, model: str, chat: bool, *values: Any) -> Work:
        """What the tab opens with, the first time: a completion of its example."""
        planted = Tree.plant(model, prompt, chat)
        return (yield from self._follow(planted, CONTROLS.read(*values)))

    def undo(self, tree: Tree | None, *values: Any) -> Work:
        """One token back."""
        return (yield from self._moved(tree, Tree.undo, values))

    def fork(self, tree: Tree | None, event: gr.EventData, *values: Any) -> Work:
        """An alternative of a token that is there was clicked."""
        at, which = index_of(event, "i"), index_of(event, "which")
        return (yield from self._moved(tree, lambda tree: tree.fork(at, which), values))

    def goto(self, tree: Tree | None, event: gr.EventData, *values: Any) -> Work:
        """A branch was clicked."""
        node = index_of(event, "node")
        return (yield from self._moved(tree, lambda tree: tree.go(node), values))

    def _moved(self, tree: Tree | None, move: Callable[[Tree], Tree], values: Any) -> Work:
        if tree is None:
            raise InputError("There is nothing yet.", "Press Run or Step first.")
        return (yield from self._look(move(tree), CONTROLS.read(*values)))

    def choose(self, tree: Tree | None, event: gr.EventData, *values: Any) -> Work:
        """A token of the next-token chart was clicked: it is taken."""
        which = index_of(event, "which")
        if tree is None or tree.place is None:
            return None
        from lmlab.generation.sampling import choose

        asked = CONTROLS.read(*values)
        found = self.lab.beliefs(tree.place, asked)
        if not 0 <= which < len(found.top):
            raise InputError("That token is not there any more.", "Choose another one.")
        token = found.top[which].id
        step = choose(found, which, len(tree.path()))
        if token in tree.place.ends:
            step = replace(step, finish="end")
        return (yield from self._look(tree.choose(step), asked))

    def shape(self, tree: Tree | None, *values: Any) -> Any:
        """The next-token chart after a control changed, from what is kept; runs no model."""
        if tree is None or tree.place is None:
            return gr.skip()
        return shift_strip.next_token(self.lab.beliefs(tree.place, CONTROLS.read(*values)))

    def sample(
        self,
        tree: Tree | None,
        n: int,
        length: int,
        prompt: str,
        model: str,
        chat: bool,
        *values: Any,
    ) -> Work:
        """Draw many completions; of another prompt than the one that is shown, also what the model
        believes about the first token."""
        if n is None or length is None:
            raise InputError("How many samples, and how long?", "Type two numbers.")
        asked = replace(CONTROLS.read(*values), max_new_tokens=int(length), alternatives=1)
        grown, shown = _tree(tree, prompt, model, chat), None
        if grown is not tree:
            shown = yield from self._look(grown, asked)
        yield Busy(f"{model}: reading …")
        drawn: list[list[Step]] = [[] for _ in range(int(n))]
        pace = Pace(PATIENCE)
        for event in self.lab.sample(model, prompt or "", asked, int(n), chat=chat):
            if isinstance(event, Loading):
                yield event
                continue
            which, step = event
            drawn[which].append(step)
            if pace.is_due():
                done = step.index + 1
                yield Busy(f"{int(n)} samples: token {done}", done / asked.max_new_tokens)
        runs = [Completion(model, prompt or "", tuple(steps)) for steps in drawn if steps]
        return {**(shown or {}), "samples": samples(runs)}

    def _follow(self, tree: Tree, asked: GenerateConfig) -> Work:
        """Draw a completion as it grows."""
        yield Busy(f"{tree.model}: reading …", 0, self._draw(tree, asked))
        pace, start = Pace(PATIENCE), len(tree.path())
        tree = tree.drawing(asked)
        for event in self._complete(tree, asked):
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
                    yield Busy(f"{tree.model}: token {done:,}", share, self._draw(tree, asked))
        reason = REASONS.get(tree.path()[-1].finish or "", "") if tree.nodes else ""
        return {STATUS: said(f"Ended: {reason}." if reason else ""), **self._draw(tree, asked)}

    def _look(self, tree: Tree, asked: GenerateConfig) -> Work:
        """Draw where a visitor went; the model is asked for its belief there, for nothing else."""
        yield Busy(f"{tree.model}: reading …", 0, self._draw(tree, asked))
        if not tree.ended and not lacking(tree.model, DISTRIBUTIONS):
            there = replace(asked, max_new_tokens=max(1, len(tree.path())), alternatives=10)
            with closing(self._complete(tree, there)) as events:
                place = next((event for event in events if isinstance(event, Next)), None)
            tree = replace(tree, place=place)
        return self._draw(tree, asked)

    def _complete(self, tree: Tree, asked: GenerateConfig) -> Any:
        return self.lab.complete(tree.model, tree.prompt, asked, tree.ids, chat=tree.chat)

    def _draw(self, tree: Tree, asked: GenerateConfig) -> dict[str, Any]:
        """What a completion is shown in, and what the session keeps of it."""
        path = tree.path()
        found = None if tree.place is None else self.lab.beliefs(tree.place, asked)
        return {
            "strip": shift_strip.flowing(
                tree.name, tree.model, tree.form, path, forks=True, start=tree.start
            ),
            "chart": shift_strip.next_token(found, _unknown(tree)),
            "figures": figures(Completion(tree.model, tree.prompt, path)),
            "branches": branches.payload(tree),
            "advice": advice(tree.given, "completion"),
            "tree": tree,
        }


def _unknown(tree: Tree) -> str:
    """Why nothing is known of the next token, or not yet."""
    return NOTHING_NEXT if tree.ended else lacking(tree.model, DISTRIBUTIONS) or "…"


def seeded(seed: int | None) -> int:
    """The next seed."""
    return int(seed or 0) + 1


def _tree(tree: Tree | None, prompt: str, model: str, chat: bool) -> Tree:
    """The tree of a prompt: the one that is shown, or a new one."""
    prompt = prompt or ""
    if tree is None or (tree.prompt, tree.model, tree.chat) != (prompt, model, chat):
        return Tree.plant(model, prompt, chat)
    return tree


def note(tree: Tree | None) -> Note | None:
    """Title and receipt of a completion, drawn or chosen."""
    if tree is None or not tree.path():
        return None
    done = Completion(tree.model, tree.form, tree.path())
    title = f"Completion of {quoted(tree.prompt)} by {tree.model}"
    return Note(tree.name, title, lambda: completion(done, tree.drawn))
