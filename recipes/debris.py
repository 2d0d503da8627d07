"""How much of what a model writes from nothing is debris of tasks, or no text at all.

    python -m recipes.debris FOLDER [--samples 200] [--temperature 0.8] [--show]

A sample counts as debris when it has a kind of ``found``: judged by rules, not by a model, so that
anyone can read why. ``--text FILE`` judges documents instead, for the share of false alarms.
"""

import argparse
import codecs
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmlab.models.tokens import Vocabulary
from recipes.textio import read_documents

LENGTH = 60
SIGNS = re.compile(r"[|{}<>\\^~`@=_→←⇒]|::|:=|##|\?!\?|(?<![\w.])[+/]{1,2}(?![\w.])")
"""Signs that layouts are made of and that prose hardly knows."""
LABELS = re.compile(
    r"^\W*(?:in|out|input|output|q|a|x|y|question|answer|source|target|text|label|word|review|"
    r"sentiment|story|topic|sentences?|meaning|english|german|given|item|result|reply|category|"
    r"singular|plural|present|past|opposite) ?[:=]",
    re.IGNORECASE | re.MULTILINE,
)
WORDS = re.compile(r"\w+(?:['’ -]\w+)*")
SHORT, REPEATED = 40, 3


def found(data: bytes, special: Sequence[str] = ()) -> set[str]:
    """What is wrong with a sample, by kind; a character cut off at its end is not.

    bytes: not UTF-8. special: a special token in the middle. signs: what layouts are made of.
    label: a line that begins with the name of a field. repeated: three lines or clauses after one
    another, each two short fields with the same sign between them.

    >>> sorted(found(b"cat -> Katze")), found(b"Once upon a time there was a cat.")
    (['signs'], set())
    >>> sorted(found(b"cat, Katze\\ndog, Hund\\nsun, Sonne\\nm"))
    ['repeated']
    """
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return {"bytes"}
    kinds = {
        "special": any(name in text for name in special),
        "signs": SIGNS.search(_without(text, special)) is not None,
        "label": LABELS.search(text) is not None,
        "repeated": _repeats(text.split("\n")) or _repeats(re.split(r"(?<=[;.,|]) ", text)),
    }
    return {kind for kind, there in kinds.items() if there}


def _without(text: str, special: Sequence[str]) -> str:
    for name in special:
        text = text.replace(name, "")
    return text


def _repeats(pieces: Sequence[str]) -> bool:
    """Whether pieces of one skeleton with two fields follow one another."""
    last, count = "", 0
    for piece in filter(None, map(str.strip, pieces)):
        skeleton = WORDS.sub("x", piece)
        paired = skeleton.count("x") == 2 and len(piece) <= SHORT and "x x" not in skeleton
        count = count + 1 if paired and skeleton == last else int(paired)
        last = skeleton
        if count == REPEATED:
            return True
    return False


def samples(folder: Path, count: int, temperature: float, seed: int = 20) -> list[bytes]:
    """``count`` texts of up to ``LENGTH`` tokens after BOS, as bytes, each up to its end token."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    vocabulary = Vocabulary(AutoTokenizer.from_pretrained(folder))
    tokenizer = vocabulary.tokenizer
    torch.manual_seed(seed)
    start = torch.full((count, 1), tokenizer.bos_token_id)
    written = model.generate(
        start,
        attention_mask=torch.ones_like(start),
        do_sample=True,
        temperature=temperature,
        top_k=0,
        max_new_tokens=LENGTH,
    )
    ends = (tokenizer.eos_token_id, tokenizer.pad_token_id)
    rows = [[int(i) for i in row[1:] if i not in ends] for row in written]
    return [b"".join(vocabulary.data(i) for i in row) for row in rows]


def main() -> None:
    """Prints the share of debris by kind as one line of JSON, after the samples if asked."""
    options = _options()
    if options.text:
        documents = read_documents(options.text)
        chosen = Random(20).choices(documents, k=options.samples)
        texts = [document[: 4 * LENGTH].encode() for document in chosen]
        special: list[str] = []
    else:
        texts = samples(options.folder, options.samples, options.temperature)
        special = AutoTokenizer.from_pretrained(options.folder).all_special_tokens
    judged = [found(text, special) for text in texts]
    if options.show:
        for text, kinds in zip(texts, judged, strict=True):
            print(",".join(sorted(kinds)) or "-", repr(text.decode(errors="replace")))
    share = sum(map(bool, judged)) / len(judged)
    counts = dict(Counter(kind for some in judged for kind in some))
    print(json.dumps({"samples": len(judged), "debris": round(share, 4), "kinds": counts}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="a model's folder")
    parser.add_argument("--text", type=Path, help="judge the documents of this file instead")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--show", action="store_true", help="print every sample too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
