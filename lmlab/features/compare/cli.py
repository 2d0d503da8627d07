"""``lmlab compare``. Imports models on use alone."""

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.generation.completions import Step, collect
from lmlab.generation.config import GenerateConfig
from lmlab.options import add_flags, read
from lmlab.receipts.texts import compared
from lmlab.runs.model_store import ModelRef
from lmlab.terminal.naming import BOS, CHAT
from lmlab.terminal.quiet import RECEIPT, quiet, say, write_json
from lmlab.terminal.watched import borrowed

if TYPE_CHECKING:
    from lmlab.models.model import LM


def add_compare(commands: Any) -> None:
    """Declare ``lmlab compare``."""
    compare = commands.add_parser(
        "compare",
        help="the same prompt or text under several models",
        description="Complete one prompt with several models, or compare the first with each other "
        "one on a text: log-probabilities, and KL divergence at each token in bits.",
    )
    compare.add_argument(
        "--models", required=True, help="two or more names, with commas, as base,base+qa"
    )
    what = compare.add_mutually_exclusive_group(required=True)
    what.add_argument("--prompt", help="what each model completes")
    what.add_argument("--text", help="what each model scores")
    compare.add_argument("--prefix", default="", help="what --text is conditioned on")
    compare.add_argument("--bos", default="tokenizer", help=BOS)
    compare.add_argument("--chat", action="store_true", help=f"{CHAT}; with --text the prefix is")
    compare.add_argument("--context", type=int, help="tokens of --text read at once, at most")
    compare.add_argument("--alpha", type=float, default=1.0, help="scale of all models' adapters")
    form = compare.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--receipt", action="store_true", help=f"with --text: {RECEIPT}")
    add_flags(compare, GenerateConfig(temperature=0), without=("alternatives",))
    compare.set_defaults(run=_compare)


def _compare(arguments: argparse.Namespace) -> None:
    config = read(GenerateConfig, arguments)
    quiet()
    names = [name for name in arguments.models.split(",") if name.strip()]
    if len(names) < 2:
        raise InputError("Name two models at least.", "For instance --models base,base+qa.")
    if arguments.receipt and arguments.prompt is not None:
        hint = "Give --text in place of --prompt."
        raise InputError("A receipt compares models on a text.", hint)
    refs = [ModelRef.parse(name) for name in names]
    refs = [replace(ref, alpha=arguments.alpha) if ref.adapter else ref for ref in refs]
    with borrowed(refs) as lms:
        if arguments.prompt is not None:
            _compare_prompt(lms, arguments, config)
        else:
            _compare_text(lms, arguments)


def _compare_prompt(lms: "list[LM]", arguments: argparse.Namespace, config: GenerateConfig) -> None:
    from lmlab.generation.advice import given
    from lmlab.generation.sidebyside import generate_side_by_side
    from lmlab.terminal.listing import print_completions

    steps: list[list[Step]] = [[] for _ in lms]
    asked = [given(lm, arguments.prompt, chat=arguments.chat, bos=arguments.bos) for lm in lms]
    prompts = [one.prompt for one in asked]
    for which, step in generate_side_by_side(lms, prompts, config, bos=arguments.bos):
        steps[which].append(step)
    columns = zip(lms, prompts, steps, strict=True)
    runs = [collect(lm.name, prompt, found) for lm, prompt, found in columns]
    if arguments.json:
        completions = [{"model": r.model, "prompt": r.prompt, **r.to_dict()} for r in runs]
        write_json({"prompt": arguments.prompt, "completions": completions})
    else:
        print_completions(runs)
    for note in dict.fromkeys(advice.said for one in asked for advice in one.advice):
        say(note)


def _compare_text(lms: "list[LM]", arguments: argparse.Namespace) -> None:
    from lmlab.models.model import narrowed
    from lmlab.scoring.comparison import compare
    from lmlab.terminal.listing import print_compared

    if not arguments.text:
        raise InputError("There is no text to compare on.", "Type at least one character.")
    if arguments.receipt and len(lms) > 2:
        raise InputError("A receipt compares two models.", "Name two with --models.")
    first, *others = (narrowed(lm, arguments.context) for lm in lms)
    asked = {"prefix": arguments.prefix, "bos": arguments.bos, "chat": arguments.chat}
    found = [compare(first, other, arguments.text, **asked) for other in others]
    if arguments.json:
        write_json({"text": arguments.text, "comparisons": [one.to_dict() for one in found]})
    elif arguments.receipt:
        sys.stdout.write(compared(found[0]))
    else:
        for one in found:
            print_compared(one)
