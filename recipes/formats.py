"""The layouts in which one example after another is written; knows nothing of the tasks."""

from dataclasses import dataclass
from random import Random

from recipes import heldout, words


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

SENTENCES: tuple[Format, ...] = tuple(
    Format("sentence", *row)
    for row in (
        ("", " is ", ". "),
        ("", " is ", ".\n"),
        ("", " means ", ". "),
        ("For ", " write ", ". "),
        ("After ", " comes ", ".\n"),
        ("I say ", ", you say ", ". "),
        ("I say “", "”, you say “", "”. "),
        ("First ", ", then ", ".\n"),
        ("If it is ", ", say ", ".\n"),
        ("The answer to ", " is ", ". "),
        ("From ", " we get ", ".\n"),
        ("They wrote “", "” and we wrote “", "”.\n"),
        ("Ask ", " and hear ", ".\n"),
        ("With ", " goes ", ", "),
        ("", " → ", "\n"),
        ("", " ↔ ", "\n"),
        ("«", "» — «", "»\n"),
        ("“", "”: “", "”\n"),
        ("1. ", " 2. ", "\n"),
        ("• ", ": ", "\n"),
    )
)
"""Whole sentences, and what printers set; in training documents alone."""


BRACKETS = (
    ("", ""), ("", ""), ("", ""), ('"', '"'), ("'", "'"), ("[", "]"), ("“", "”"), ("{", "}"),
)  # fmt: skip
HEADS = (
    "", "", "", "", "- ", "> ", "* ", "Word: ", "Given: ", "Item: ", "From: ", "a: ", "The word ",
)  # fmt: skip
JOINTS = (
    " -> ", ": ", " = ", " | ", ", ", " - ", " >> ", " : ", " is ", " gives ", " means ", " → ",
    " :: ", " := ", " – ", "—", " as ", " ... ", "… ", "\n", "\t", " then ", " makes ", " or ",
    "\nResult: ", "\nReply: ", "\nTo: ", "\nb: ", " and ", " ; ", " goes with ",
)  # fmt: skip
TAILS = ("\n", "\n", "\n", "\n\n", "\n\n", "; ", ", ", " | ", ". ", ".\n", "\n---\n", "! ")


def composed(rng: Random) -> Format:
    """A layout put together at random: brackets, heads, joints and tails that no held-out layout
    has, or that it has in another company."""
    while True:
        (a, b), (c, d) = rng.choice(BRACKETS), rng.choice(BRACKETS)
        head, joint, tail = rng.choice(HEADS), rng.choice(JOINTS), rng.choice(TAILS)
        found = Format("composed", head + a, b + joint + c, d + tail)
        if tail.strip() != joint.strip() and found.shot("x", "y") not in _held_out_shots():
            return found


SIGNS = "-=:|>.,;*+#&%$^!?<@·•…–_"
EDGES = (("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ('"', '"'), ("'", "'"), ("“", "”"))


def made_up(rng: Random) -> Format:
    """A layout that hardly any other document has: signs drawn at random around and between the
    fields, or labels that are words which mean nothing here."""
    while True:
        found = _labelled(rng) if rng.random() < 0.4 else _signed(rng)
        shot = found.shot("x", "y")
        if "=>" not in shot and shot not in _held_out_shots():
            return found


def _labelled(rng: Random) -> Format:
    first, second = (rng.choice((str.title, str.title, str.lower, str.upper))(w) for w in _two(rng))
    colon = rng.choice((": ", ": ", ": ", " = ", " - ", "> ", "; "))
    joint = rng.choice(("\n", "\n", " | ", ", ", "; ", " "))
    tail = rng.choice(("\n\n", "\n\n", "\n", " | ", ". ") if joint != "\n" else ("\n\n", "\n"))
    return Format("made up", f"{first}{colon}", f"{joint}{second}{colon}", tail)


def _two(rng: Random) -> list[str]:
    return rng.sample([noun for noun, *_ in words.nouns() if noun not in heldout.WORDS], 2)


def _signed(rng: Random) -> Format:
    head = rng.choice(("", "", "", "* ", "- ", "# ", "+ ", "> ", "& ", ". "))
    sign = "".join(rng.choice(SIGNS) for _ in range(rng.choice((1, 1, 2, 3))))
    joint = rng.choice((" {} ", " {} ", " {} ", "{} ", "{}")).format(sign)
    (a, b), (c, d) = (rng.choice((("", ""), ("", ""), *EDGES)) for _ in range(2))
    tail = rng.choice(("\n", "\n", "\n\n", "; ", ", ", " ", " | ", ". "))
    if rng.random() < 0.3:  # one pair of brackets around both
        left, right = rng.choice(EDGES[:4])
        return Format("made up", left, joint, f"{right}{tail}")
    return Format("made up", head + a, b + joint + c, d + tail)


def _held_out_shots() -> frozenset[str]:
    return frozenset(f.shot("x", "y") for f in HELD_OUT)


def named(x_label: str, y_label: str) -> Format:
    """The layout that says what the fields are: ``Review: …`` and ``Sentiment: …``."""
    return Format("named", f"{x_label}: ", f"\n{y_label}: ", "\n\n")
