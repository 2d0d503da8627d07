"""What a visitor's session keeps of a prompt: every completion tried, as a tree of tokens."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lmlab.generation.completions import Given, Next, Step
from lmlab.generation.config import GenerateConfig
from lmlab.parts.strip import dump

ROOT = -1
WORDS = 28  # characters of a branch's name


@dataclass(frozen=True, slots=True)
class Node:
    """A token after another one; ``ROOT`` stands for the prompt."""

    parent: int
    step: Step


@dataclass(frozen=True)
class Tree:
    """One prompt under one model, and all that was drawn or chosen from it."""

    model: str
    prompt: str  # x_{1:t}
    nodes: tuple[Node, ...] = ()  # in the order in which they came
    here: int = ROOT  # the node that the page shows
    place: Next | None = None  # the belief about the next token there, where that is known
    name: str = ""  # tells this tree's strip from others
    # the controls, with one seed, that drew all up to ``here``; None where some token was chosen
    drawn: GenerateConfig | None = None
    chat: bool = False  # whether the prompt is a question in the model's chat form
    given: Given | None = None  # the prompt as the model gets it; None before it was asked

    @classmethod
    def plant(cls, model: str, prompt: str, chat: bool = False) -> "Tree":
        """A tree with nothing but its prompt."""
        return cls(model, prompt, name=uuid.uuid4().hex[:12], chat=chat)

    @property
    def form(self) -> str:
        """The prompt as the model gets it, as far as that is known."""
        return self.given.prompt if self.given else self.prompt

    @property
    def start(self) -> tuple[str, ...]:
        """What stands before the prompt, as far as that is known."""
        return self.given.start if self.given else ()

    def path(self, node: int | None = None) -> tuple[Step, ...]:
        """The steps from the prompt to a node, by default to ``here``."""
        at, found = self.here if node is None else node, []
        while at != ROOT:
            found.append(self.nodes[at].step)
            at = self.nodes[at].parent
        return tuple(reversed(found))

    @property
    def ids(self) -> tuple[int, ...]:
        """The tokens from the prompt to ``here``."""
        return tuple(step.id for step in self.path())

    @property
    def ended(self) -> bool:
        """Whether the model ended the text here."""
        return self.here != ROOT and self.nodes[self.here].step.finish == "end"

    def grow(self, step: Step) -> "Tree":
        """Go one token further; a token that was tried here before is not doubled."""
        tried = [(node.parent, node.step.id) for node in self.nodes]
        key = (self.here, step.id)
        at = tried.index(key) if key in tried else len(tried)
        nodes = (*self.nodes[:at], Node(self.here, step), *self.nodes[at + 1 :])
        return replace(self, nodes=nodes, here=at, place=None)

    def go(self, node: int) -> "Tree":
        """Show another node, or the prompt alone."""
        if not ROOT <= node < len(self.nodes):
            return self
        drawn = self.drawn if node in (ROOT, *ancestors(self)) else None
        return replace(self, here=node, place=None, drawn=drawn)

    def undo(self) -> "Tree":
        """One token back."""
        return self if self.here == ROOT else self.go(self.nodes[self.here].parent)

    def fork(self, index: int, which: int) -> "Tree":
        """Take another alternative for the token at ``index`` of what is shown."""
        path = self.path()
        if not 0 <= index < len(path) or not 0 <= which < len(path[index].top):
            return self
        step = path[index]
        chosen, at = step.top[which], self.here
        for _ in range(len(path) - index):
            at = self.nodes[at].parent
        taken = replace(
            step,
            id=chosen.id,
            text=chosen.text,
            shown="",
            logprob=chosen.logprob,
            probability=chosen.probability,
            rank=1 + sum(c.logprob > chosen.logprob for c in step.top),
            finish=None,
        )
        return self.go(at).choose(taken)

    def choose(self, step: Step) -> "Tree":
        """Go one token further, by hand."""
        return replace(self.grow(step), drawn=None)

    def drawing(self, asked: GenerateConfig) -> "Tree":
        """The tree as it goes on by these controls."""
        asked = replace(asked, max_new_tokens=1, stop=(), alternatives=0)
        return replace(self, drawn=asked if self.here == ROOT or asked == self.drawn else None)


def payload(tree: Tree | None) -> str:
    """The tree's branches as JSON for the page: each from one fork to the next."""
    if tree is None or not tree.nodes:
        return ""
    children: dict[int, list[int]] = {}
    for i, node in enumerate(tree.nodes):
        children.setdefault(node.parent, []).append(i)
    shown = set(ancestors(tree))
    return dump([_row(tree, run, depth, shown) for run, depth in _runs(children)])


def ancestors(tree: Tree) -> Iterator[int]:
    """The node that is shown, and those before it up to the prompt."""
    at = tree.here
    while at != ROOT:
        yield at
        at = tree.nodes[at].parent


def _runs(children: dict[int, list[int]]) -> Iterator[tuple[list[int], int]]:
    """Each stretch without a fork, with how many forks come before it."""
    waiting = [(child, 0) for child in reversed(children.get(ROOT, []))]
    while waiting:
        first, depth = waiting.pop()
        run = [first]
        while len(after := children.get(run[-1], [])) == 1:
            run.append(after[0])
        yield run, depth
        waiting += [(child, depth + 1) for child in reversed(after)]


def _row(tree: Tree, run: Sequence[int], depth: int, shown: set[int]) -> dict[str, object]:
    words = "".join(tree.nodes[i].step.text for i in run)
    path = tree.path(run[-1])
    return {
        "node": run[-1],
        "depth": depth,
        "words": words if len(words) <= WORDS else words[:WORDS] + "…",
        "tokens": len(path),
        "logprob": round(sum(step.logprob for step in path), 2),
        "here": tree.here in run,
        "on": run[0] in shown,
    }
