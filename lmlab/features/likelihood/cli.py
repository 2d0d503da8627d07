"""``lmlab score``: one text, or many from JSONL. Imports models on use alone."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.receipts.texts import likelihood
from lmlab.scoring.scored import Scored
from lmlab.scoring.tokens import Tokens
from lmlab.scoring.words import words
from lmlab.terminal.naming import BOS, add_model, asked_ref
from lmlab.terminal.quiet import RECEIPT, quiet, write_json
from lmlab.terminal.tables import text_of
from lmlab.terminal.watched import borrowed, counting

if TYPE_CHECKING:
    from lmlab.models.model import LM

GROUP = 16  # lines that are scored together; each group is written before the next begins
Row = tuple[int, dict[str, Any]]  # a line of JSONL: its number, from 1, and its fields


def add_score(commands: Any) -> None:
    """Declare ``lmlab score``."""
    score = commands.add_parser(
        "score",
        help="log-likelihood and perplexity of a text, token by token",
        description="Score a text: natural logarithms in JSON, bits in the coloured strip.",
    )
    source = score.add_mutually_exclusive_group()
    source.add_argument("--text", help="the text; default: standard input")
    source.add_argument("--file", type=Path, help="a UTF-8 file that holds the text")
    source.add_argument(
        "--jsonl",
        metavar="FILE",
        help="many texts: one object a line with text and perhaps prefix, - for standard input; "
        "each comes back with its own fields and its numbers, as soon as it is done",
    )
    add = score.add_argument
    add_model(score)
    add("--prefix", default="", help="what the text is conditioned on")
    add("--chat", action="store_true", help="the prefix is a question in the model's chat form")
    add("--windows", choices=["disjoint", "sliding"], default="sliding")
    add("--stride", type=int, help="of sliding windows; default: half the context")
    add("--context", type=int, help="tokens read at once, at most; default: the model's context")
    add("--top-k", type=int, help="alternatives for each token; default: 10, with --jsonl none")
    add("--bos", default="tokenizer", help=BOS)
    add("--end", action="store_true", help="score the end token after the text too")
    add("--colour-by", default="surprisal", help="the strip's measure; default: surprisal")
    add("--words", action="store_true", help="surprisal by word, in bits")
    form = score.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--receipt", action="store_true", help=RECEIPT)
    score.set_defaults(run=_score)


def _score(arguments: argparse.Namespace) -> None:
    if arguments.receipt and (arguments.jsonl is not None or arguments.end or arguments.words):
        raise InputError("A receipt is of one text, without its end token and not by word.")
    if arguments.jsonl is not None:
        rows = list(_rows(arguments))
        with _model(arguments) as (lm,):
            _many(lm, rows, arguments)
        return
    # The text exactly as given, line ends included; a file's byte-order mark is no text.
    text = text_of(arguments.file, "The text") if arguments.text is None else arguments.text
    if not text:
        raise InputError("There is no text to score.", "Type at least one character.")
    with _model(arguments) as (lm,):
        (scored,) = _scored(lm, [(text, arguments.prefix)], arguments, 10)
    if arguments.json:
        write_json(_told(scored, arguments))
    elif arguments.receipt:
        sys.stdout.write(likelihood(scored))
    elif arguments.words:
        from lmlab.terminal.listing import print_words

        print_words(scored)
    else:
        from lmlab.terminal.listing import print_scored

        print_scored(scored, colour_by=arguments.colour_by)


def _model(arguments: argparse.Namespace) -> Any:
    quiet()
    return borrowed([asked_ref(arguments)])


def _scored(
    lm: "LM", pairs: list[tuple[str, str]], arguments: argparse.Namespace, top_k: int
) -> list[Scored]:
    """Texts, each given its prefix."""
    from lmlab.models.chat import question
    from lmlab.models.model import narrowed
    from lmlab.scoring.score import ScoreRequest, score_many

    if arguments.chat:
        pairs = [(text, question(lm.vocabulary, prefix)) for text, prefix in pairs]
    return score_many(
        narrowed(lm, arguments.context),
        [ScoreRequest(text, prefix, arguments.end, arguments.chat) for text, prefix in pairs],
        top_k=top_k if arguments.top_k is None else arguments.top_k,
        bos=arguments.bos,
        windows=arguments.windows,
        stride=arguments.stride,
    )


def _told(scored: Scored, arguments: argparse.Namespace) -> dict[str, Any]:
    by_word = {"words": [word.to_dict() for word in words(scored)]} if arguments.words else {}
    return scored.to_dict() | by_word


def _many(lm: "LM", rows: Sequence[Row], arguments: argparse.Namespace) -> None:
    """Score rows a few at a time and write each as soon as it is done."""
    with counting("texts", apart=True) as tell:
        for low in range(0, len(rows), GROUP):
            group = rows[low : low + GROUP]
            for (_, fields), scored in zip(group, _group(lm, group, arguments), strict=True):
                found = _told(scored, arguments)
                for token in () if arguments.top_k else found["tokens"]:
                    del token["top"]
                write_json(fields | {k: v for k, v in found.items() if k not in fields})
            tell("scoring", low + len(group), len(rows))


def _group(lm: "LM", rows: Sequence[Row], arguments: argparse.Namespace) -> list[Scored]:
    pairs = [(fields["text"], fields["prefix"]) for _, fields in rows]
    try:
        return _scored(lm, pairs, arguments, 0)
    except InputError as error:
        for (number, _), pair in zip(rows, pairs, strict=True):
            try:
                _scored(lm, [pair], arguments, 0)
            except InputError as mine:
                raise InputError(f"Line {number}: {mine.message}", mine.hint) from None
        raise error


def _rows(arguments: argparse.Namespace) -> Iterator[Row]:
    """The lines of a JSONL file that are not empty, each an object with a text and with no field
    that a result has."""
    taken = {*Scored("", "", "", Tokens.of(())).to_dict(), "words"} - {"text", "prefix"}
    name = arguments.jsonl
    text = text_of(None if name == "-" else Path(name), "The file")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        fields = _object(line, number)
        prefix = fields.get("prefix", arguments.prefix)
        if not isinstance(fields.get("text"), str) or not isinstance(prefix, str):
            raise InputError(f"Line {number}: text, and prefix if there is one, must be strings.")
        if not fields["text"]:
            raise InputError(f"Line {number} has no text to score.")
        if clash := sorted(taken & set(fields)):
            said = f"Line {number}: the field ‘{clash[0]}’ has the name of a result."
            raise InputError(said, "Rename it.")
        yield number, fields | {"prefix": prefix}


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError(f"Line {number} is no JSON object.", "JSONL has one on each line.")
    return value
