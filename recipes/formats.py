"""The layouts in which one example after another is written; knows nothing of the tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from recipes import heldout


@dataclass(frozen=True)
class Format:
    """``before`` x ``between`` y ``after``, once for every example."""

    name: str
    before: str
    between: str
    after: str

    def shot(self, x: str, y: str) -> str:
        """One whole example."""
        return f"{self.before}{x}{self.between}{y}{self.after}"

    def query(self, x: str) -> str:
        """An example up to where the answer would begin, without trailing white space."""
        return f"{self.before}{x}{self.between}".rstrip(" ")

    def answer(self, x: str, y: str) -> str:
        """What follows ``query`` in a whole example."""
        return self.shot(x, y)[len(self.query(x)) :]


def _table() -> tuple[Format, ...]:
    rows = [
        ("arrow", "", " -> ", "\n"),
        ("colon", "", ": ", "\n"),
        ("equals", "", " = ", "; "),
        ("equals-line", "", " = ", "\n"),
        ("input-output", "Input: ", "\nOutput: ", "\n\n"),
        ("input-output-tight", "Input: ", "\nOutput: ", "\n"),
        ("qa", "Q: ", "\nA: ", "\n\n"),
        ("qa-tight", "Q: ", "\nA: ", "\n"),
        ("question-answer", "Question: ", "\nAnswer: ", "\n\n"),
        ("lecture", '"', '": "', '" | '),
        ("quoted-line", '"', '": "', '"\n'),
        ("tab", "", "\t", "\n"),
        ("json", '{"in": "', '", "out": "', '"}\n'),
        ("comma", "", ", ", "\n"),
        ("parenthesis", "", " (", ")\n"),
        ("table", "| ", " | ", " |\n"),
        ("dash-list", "- ", " - ", "\n"),
        ("tags", "<in>", "</in> <out>", "</out>\n"),
        ("becomes", "", " becomes ", ". "),
        ("slash", "", " / ", "\n"),
        ("function", "f(", ") = ", "\n"),
        ("x-y", "x: ", "\ny: ", "\n\n"),
        ("chevrons", "", " >> ", " | "),
        ("squares", "[", "] [", "]\n"),
        ("two-lines", "", "\n", "\n\n"),
        ("hashes", "Text: ", "\nLabel: ", "\n###\n"),
        ("single-quotes", "'", "' : '", "', "),
        ("long-arrow", "", " --> ", "\n"),
        ("bar-line", "", " | ", "\n"),
        ("given-then", "Given ", ", answer ", ".\n"),
        ("star-colon", "* ", ": ", "\n"),
        ("fat-arrow", "", " => ", "\n"),
        ("tilde-list", "* ", " ~ ", "\n"),
        ("in-out-slash", "In: ", " / Out: ", "\n"),
        ("quoted-dash", '"', '" - "', '"; '),
        ("source-target", "Source: ", "\nTarget: ", "\n\n"),
        ("bracket-bar", "(", " | ", ") "),
    ]
    return tuple(Format(*row) for row in rows)


ALL: tuple[Format, ...] = _table()
SEEN: tuple[Format, ...] = tuple(f for f in ALL if f.name not in heldout.FORMATS)
HELD_OUT: tuple[Format, ...] = tuple(f for f in ALL if f.name in heldout.FORMATS)


BRACKETS = (
    ("", ""), ("", ""), ("", ""), ('"', '"'), ("'", "'"), ("[", "]"), ("<", ">"), ("{", "}"),
)  # fmt: skip
HEADS = ("", "", "", "", "- ", "> ", "# ", "+ ", "Word: ", "Given: ", "Item: ", "From: ", "a: ")
JOINTS = (
    " -> ", ": ", " = ", " | ", ", ", " - ", " >> ", " : ", " :: ", " is ", " gives ", " means ",
    " == ", " := ", " |> ", " & ", " + ", " as ", " ... ", "\n", "\t", " \\ ", " then ", " >>> ",
    "\nResult: ", "\nReply: ", "\nTo: ", "\nb: ", " and ", " ; ", " <> ", " -- ", " * ",
)  # fmt: skip
TAILS = (
    "\n", "\n", "\n", "\n\n", "; ", ", ", " | ", ". ", " & ", "\n---\n", "\n##\n", " // ", " + ",
)  # fmt: skip


def composed(rng: Random) -> Format:
    """A layout put together at random: brackets, heads, joints and tails that no held-out layout
    has, or that it has in another company."""
    while True:
        (a, b), (c, d) = rng.choice(BRACKETS), rng.choice(BRACKETS)
        head, joint, tail = rng.choice(HEADS), rng.choice(JOINTS), rng.choice(TAILS)
        found = Format("composed", head + a, b + joint + c, d + tail)
        if tail.strip() != joint.strip() and found.shot("x", "y") not in _held_out_shots():
            return found


SIGNS = "-=:;>|/\\+*#@%&!?^_.,<$"
PAIRS = (*BRACKETS, ("(", ")"), ("*", "*"), ("`", "`"), ("«", "»"), ("_", "_"))
KEPT_OUT = ("=>", "~", "in:", "out:", "source", "target")
"""What is peculiar to the held-out layouts: no layout of ``invented`` has any of it."""


def invented(rng: Random, words: Sequence[str]) -> Format:
    """A layout of random signs and of ``words`` as labels: it has to be read from the examples,
    because there are too many to learn by heart."""
    while True:
        (a, b), (c, d) = rng.choice(PAIRS), rng.choice(PAIRS)
        head, joint, tail = _head(rng, words), _joint(rng, words), _tail(rng)
        found = Format("invented", head + a, b + joint + c, d + tail)
        shot = found.shot("x", "y")
        told = not any(part in shot.lower() for part in KEPT_OUT)
        if told and tail.strip() != joint.strip() and shot not in _held_out_shots():
            return found


def _sign(rng: Random, most: int = 3) -> str:
    """One sign, or several: the same again, or others."""
    count = rng.randint(1, most)
    return rng.choice(SIGNS) * count if rng.random() < 0.4 else "".join(rng.choices(SIGNS, k=count))


def _label(rng: Random, words: Sequence[str]) -> str:
    word = rng.choice(words)
    return rng.choice((word, word.capitalize(), word.upper()))


def _head(rng: Random, words: Sequence[str]) -> str:
    kind = rng.random()
    if kind < 0.5:
        return ""
    if kind < 0.65:
        return f"{_sign(rng, 2)} "
    return _label(rng, words) + rng.choice((": ", ": ", " ", "=", " - "))


def _joint(rng: Random, words: Sequence[str]) -> str:
    sign, label = _sign(rng), _label(rng, words)
    forms = (
        f" {sign} ", f" {sign} ", f" {sign} ", f"{sign} ", sign, f" {label} ", f"\n{label}: ",
        f"\n{label}: ", f" {sign} {label}: ", f"{sign[0]} {label}: ", f"\n{sign} ", f" {label}: ",
    )  # fmt: skip
    return rng.choice(forms)


def _tail(rng: Random) -> str:
    sign = _sign(rng, 2)
    forms = ("\n", "\n", "\n", "\n\n", "\n\n", f"{sign} ", f" {sign} ", f"\n{sign}\n", " ")
    return rng.choice(forms)


def _held_out_shots() -> frozenset[str]:
    return frozenset(f.shot("x", "y") for f in HELD_OUT)


def named(x_label: str, y_label: str) -> Format:
    """The layout that says what the fields are: ``Review: …`` and ``Sentiment: …``."""
    return Format("named", f"{x_label}: ", f"\n{y_label}: ", "\n\n")
