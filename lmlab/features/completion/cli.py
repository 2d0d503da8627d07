"""``lmlab generate``. Imports models on use alone."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.generation.completions import Completion, Given, Step, collect
from lmlab.generation.config import GenerateConfig
from lmlab.options import add_flags, read
from lmlab.receipts.texts import completion
from lmlab.terminal.naming import BOS, CHAT, add_model, asked_ref
from lmlab.terminal.quiet import RECEIPT, quiet, say, write_json
from lmlab.terminal.watched import borrowed

if TYPE_CHECKING:
    from lmlab.models.model import LM


def add_generate(commands: Any) -> None:
    """Declare ``lmlab generate``."""
    generate = commands.add_parser(
        "generate",
        help="complete a prompt, token by token",
        description="Complete a prompt; the text appears as it is drawn.",
    )
    generate.add_argument("--prompt", required=True, help="what is completed; may be empty")
    add_model(generate)
    generate.add_argument("--n", type=int, default=1, help="samples, with seeds from --seed on")
    generate.add_argument("--bos", default="tokenizer", help=BOS)
    generate.add_argument("--chat", action="store_true", help=CHAT)
    add_flags(generate, GenerateConfig())
    form = generate.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument(
        "--jsonl", action="store_true", help="print one JSON object a sample, as soon as it ends"
    )
    form.add_argument("--receipt", action="store_true", help=RECEIPT)
    generate.set_defaults(run=_generate)


def _generate(arguments: argparse.Namespace) -> None:
    config = read(GenerateConfig, arguments)
    if arguments.n < 1:
        raise InputError(f"--n must be 1 or more, not {arguments.n}.")
    if arguments.receipt and (arguments.n > 1 or arguments.bos != "tokenizer"):
        raise InputError("A receipt is of one sample, begun as the tokenizer does.")
    quiet()
    with borrowed([asked_ref(arguments)]) as (lm,):
        from lmlab.generation.advice import given

        asked = given(lm, arguments.prompt, chat=arguments.chat, bos=arguments.bos)
        _write(lm, asked, arguments, config)
        for note in (*asked.notes, *(advice.said for advice in asked.advice)):
            say(note)


def _write(lm: "LM", asked: Given, arguments: argparse.Namespace, config: GenerateConfig) -> None:
    """The completions in the form that is asked for."""
    begun = {
        "model": lm.name,
        "prompt": asked.prompt,
        "bos": list(asked.start),
        "context": lm.context,
        "notes": lm.notes,
    }
    samples = _samples(lm, asked.prompt, arguments, config)
    if arguments.json:
        write_json(begun | {"samples": [done.to_dict() for _, done in sorted(samples)]})
    elif arguments.jsonl:
        for which, done in samples:
            write_json(begun | {"sample": which} | done.to_dict())
    elif arguments.receipt:
        sys.stdout.write(completion(next(samples)[1], config))
    else:
        _stream(lm, asked, arguments, config)


def _samples(
    lm: "LM", prompt: str, arguments: argparse.Namespace, config: GenerateConfig
) -> Iterator[tuple[int, Completion]]:
    """Each sample as it ends."""
    from lmlab.generation.complete import sample

    drawn: list[list[Step]] = [[] for _ in range(arguments.n)]
    steps = sample(lm, prompt, config, n=arguments.n, bos=arguments.bos)
    with closing(steps):  # type: ignore[type-var]
        for which, step in steps:
            drawn[which].append(step)
            if step.finish:
                yield which, collect(lm.name, prompt, drawn[which])


def _stream(lm: "LM", asked: Given, arguments: argparse.Namespace, config: GenerateConfig) -> None:
    """Write the text as it is drawn, sample after sample; how it went goes to stderr."""
    from lmlab.generation.complete import generate
    from lmlab.terminal.listing import visible_text

    for i in range(arguments.n):
        steps = []
        one = replace(config, seed=config.seed + i)
        for step in generate(lm, asked.prompt, one, bos=arguments.bos):
            steps.append(step)
            sys.stdout.write(visible_text(step.shown))
            sys.stdout.flush()
        sys.stdout.write("\n")
        done = collect(lm.name, asked.prompt, steps)
        print(
            f"[{len(steps)} tokens · ln p {done.logprob:.2f} nats · perplexity "
            f"{done.perplexity:.2f} · seed {one.seed} · start {' '.join(asked.start) or 'none'} · "
            f"ended by {done.finish_reason}]",
            file=sys.stderr,
        )
