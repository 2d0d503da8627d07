"""``lmlab tree``. Imports models on use alone."""

import argparse
import sys
from typing import Any

from lmlab.errors import InputError
from lmlab.features.completion import tree_views as views
from lmlab.generation.config import GenerateConfig, TreeConfig
from lmlab.options import add_flags, read
from lmlab.progress import Progress
from lmlab.terminal.naming import BOS, CHAT, add_model, asked_ref
from lmlab.terminal.quiet import RECEIPT, quiet, say, write_json
from lmlab.terminal.watched import borrowed

UNUSED = ("max_new_tokens", "stop", "alternatives")


def add_tree(commands: Any) -> None:
    """Declare ``lmlab tree``."""
    tree = commands.add_parser(
        "tree",
        help="what could come after a prompt, as a tree with probabilities",
        description="Expand the likeliest continuations of a prompt; greedy, beam and samples.",
    )
    tree.add_argument("--prompt", required=True, help="what is continued; may be empty")
    add_model(tree)
    tree.add_argument("--bos", default="tokenizer", help=BOS)
    tree.add_argument("--chat", action="store_true", help=CHAT)
    add_flags(tree, TreeConfig())
    add_flags(tree, GenerateConfig(), without=UNUSED)
    form = tree.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--csv", action="store_true", help="print one row a place")
    form.add_argument("--receipt", action="store_true", help=RECEIPT)
    tree.set_defaults(run=_tree)


def _tree(arguments: argparse.Namespace) -> None:
    config, extent = read(GenerateConfig, arguments), read(TreeConfig, arguments)
    if arguments.receipt and arguments.bos != "tokenizer":
        raise InputError("A receipt is of a prompt begun as the tokenizer does.")
    quiet()
    with borrowed([asked_ref(arguments)]) as (lm,):
        from lmlab.generation.advice import given
        from lmlab.generation.complete import prompt_ids
        from lmlab.generation.continuations import iter_tree, shaped

        asked = given(lm, arguments.prompt, chat=arguments.chat, bos=arguments.bos)
        ids = prompt_ids(lm, asked.prompt, arguments.bos)
        events = iter_tree(lm, asked.prompt, ids, config, extent)
        (tree,) = (event for event in events if not isinstance(event, Progress))
        for note in (*asked.notes, *(advice.said for advice in asked.advice)):
            say(note)
    found = shaped(tree, config)
    if arguments.json:
        write_json(views.to_dict(tree, found))
    elif arguments.csv:
        sys.stdout.write(views.to_csv(tree, found))
    elif arguments.receipt:
        told = views.facts(tree, found)
        sys.stdout.write(views.receipt(tree.model, tree.prompt, (), told, config))
    else:
        for line in views.lines(tree, found):
            print(line)
