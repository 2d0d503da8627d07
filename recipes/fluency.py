"""Whether a base goes on fluently where it is asked a question that it was never tuned to answer.

    python -m recipes.fluency FOLDER --judge FOLDER [--show]

Greedy text after questions of the qa set's test split, between the question marks, is fluent when
no rule of ``recipes.debris`` finds anything in it, it does not run in a circle, and a sibling that
read the same text finds it no more surprising, in bits a byte, than all but one in twenty pieces of
held-out stories of that length.
"""

import argparse
import json
from collections.abc import Sequence

import lmlab
from lmlab.models.model import LM
from recipes import debris, measure, tuneconfig
from recipes.config import ASSETS
from recipes.textio import read_rows

ASKED, LENGTH = 50, 40  # questions, tokens
CIRCLE = 0.5  # share of words that stand in a run of four which came before
WORST = 0.95  # of held-out pieces


def circling(text: str) -> float:
    """Share of the runs of four words that came before.

    >>> circling("the dog ran home and the cat slept"), round(circling("he ran and " * 4), 2)
    (0.0, 0.67)
    """
    words = text.split()
    runs = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def answers(base: LM) -> list[str]:
    """What the base writes, by the likeliest token, after each question."""
    rows = read_rows(ASSETS / "datasets" / "qa" / "test.jsonl")[:ASKED]
    prompts = [tuneconfig.ask(row)[0] for row in rows]
    greedy = lmlab.GenerateConfig(temperature=0.0, max_new_tokens=LENGTH, alternatives=0)
    return [one.text for prompt in prompts for one in lmlab.complete(base, prompt, greedy)]


def limit(judge: LM) -> float:
    """Bits a byte that few pieces of held-out stories exceed."""
    rows = read_rows(ASSETS / "datasets" / "probes" / "general.jsonl")
    stories = [row["text"] for row in rows if row["kind"] == "stories"]
    pieces = [" ".join(story.split()[:LENGTH]) for story in stories]
    return sorted(each(judge, pieces))[int(WORST * len(pieces))]


def each(judge: LM, texts: Sequence[str]) -> list[float]:
    """Bits a byte of each text."""
    return [measure.bits_per_byte(judge, [text]) for text in texts]


def judged(base: LM, judge: LM) -> list[tuple[str, float, set[str]]]:
    """What the base writes after each question, bits a byte under the judge, what is wrong."""
    texts, most = answers(base), limit(judge)
    special = base.tokenizer.all_special_tokens
    found = []
    for text, bits in zip(texts, each(judge, texts), strict=True):
        wrong = debris.found(text.encode(), special)
        wrong |= {"circle"} if circling(text) > CIRCLE else set()
        wrong |= {"strange"} if bits > most else set()
        found.append((text, bits, wrong))
    return found


def main() -> None:
    """Prints the share that is fluent as one line of JSON, after the texts if asked."""
    options = _options()
    found = judged(lmlab.load(options.folder), lmlab.load(options.judge))
    if options.show:
        for text, bits, wrong in found:
            print(f"{bits:.2f}", ",".join(sorted(wrong)) or "-", repr(text))
    fluent = sum(not wrong for _, _, wrong in found)
    print(json.dumps({"asked": len(found), "fluent": fluent}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", help="the base's")
    parser.add_argument("--judge", default=str(ASSETS / "models" / "small"), help="its sibling's")
    parser.add_argument("--show", action="store_true", help="print every text too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
