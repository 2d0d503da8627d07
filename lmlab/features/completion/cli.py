"""``lmlab generate`` and ``lmlab compare``. Imports models on use alone."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.results.controls import GenerateConfig
from lmlab.terminal.naming import add_model, asked_ref
from lmlab.terminal.quiet import RECEIPT, quiet

if TYPE_CHECKING:
    from lmlab.lm.model import LM
    from lmlab.models.store import ModelRef
    from lmlab.results.completions import Completion, Given, Step

PLAIN = GenerateConfig()
BOS = "tokenizer (what it adds by itself), always, never, or a token to begin with"
CHAT = "the prompt is a question in the model's own chat form"


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
    generate.add_argument("--top", type=int, default=10, help="alternatives for each token in JSON")
    generate.add_argument("--bos", default="tokenizer", help=BOS)
    generate.add_argument("--chat", action="store_true", help=CHAT)
    _add_sampling(generate, PLAIN)
    form = generate.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument(
        "--jsonl", action="store_true", help="print one JSON object a sample, as soon as it ends"
    )
    form.add_argument("--receipt", action="store_true", help=RECEIPT)
    generate.set_defaults(run=_generate)


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
    _add_sampling(compare, replace(PLAIN, temperature=0.0))
    compare.set_defaults(run=_compare, top=10)


def _add_sampling(parser: Any, default: GenerateConfig) -> None:
    add = parser.add_argument
    add("--temperature", type=float, default=default.temperature, help="0 is greedy")
    add("--top-k", type=int, default=default.top_k, help="0 keeps all tokens")
    add("--top-p", type=float, default=default.top_p, help="1 keeps all tokens")
    add("--min-p", type=float, default=default.min_p, help="0 keeps all tokens")
    add("--repetition-penalty", type=float, default=default.repetition_penalty, help="1 is none")
    add("--seed", type=int, default=default.seed, help="of the draws")
    add("--max-new-tokens", type=int, default=default.max_new_tokens, help="longest completion")
    add("--stop", action="append", default=[], metavar="TEXT", help="ends it; may be repeated")


def _config(arguments: argparse.Namespace) -> GenerateConfig:
    return GenerateConfig(
        max_new_tokens=arguments.max_new_tokens,
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        min_p=arguments.min_p,
        repetition_penalty=arguments.repetition_penalty,
        seed=arguments.seed,
        stop=tuple(arguments.stop),
        alternatives=arguments.top,
    )


def _generate(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    if arguments.n < 1:
        raise InputError(f"--n must be 1 or more, not {arguments.n}.")
    if arguments.receipt and (arguments.n > 1 or arguments.bos != "tokenizer"):
        raise InputError("A receipt is of one sample, begun as the tokenizer does.")
    quiet()
    from lmlab.models.store import ModelStore

    with ModelStore().borrow(asked_ref(arguments)) as lm:
        from lmlab.generation.advice import given

        asked = given(lm, arguments.prompt, chat=arguments.chat, bos=arguments.bos)
        arguments.prompt = asked.prompt
        _write(lm, asked, arguments, config)
        for note in (*asked.notes, *(advice.said for advice in asked.advice)):
            say(note)


def say(note: str) -> None:
    """What a reader has to know, beside a command's output."""
    print(f"lmlab: note: {note}", file=sys.stderr)


def _write(lm: "LM", asked: "Given", arguments: argparse.Namespace, config: GenerateConfig) -> None:
    """The completions in the form that is asked for."""
    if arguments.json:
        samples = [done.to_dict() for _, done in sorted(_samples(lm, arguments, config))]
        write_json(_begun(lm, asked) | {"samples": samples})
    elif arguments.jsonl:
        for which, done in _samples(lm, arguments, config):
            write_json(_begun(lm, asked) | {"sample": which} | done.to_dict())
    elif arguments.receipt:
        from lmlab.features.completion.receipt import completion

        sys.stdout.write(completion(next(_samples(lm, arguments, config))[1], config))
    else:
        _stream(lm, asked, arguments, config)


def _begun(lm: "LM", asked: "Given") -> dict[str, Any]:
    """The prompt, the tokens put before it, and what is to be said of the model."""
    return {
        "model": lm.name,
        "prompt": asked.prompt,
        "bos": list(asked.start),
        "context": lm.context,
        "notes": lm.notes,
    }


def _samples(
    lm: "LM", arguments: argparse.Namespace, config: GenerateConfig
) -> "Iterator[tuple[int, Completion]]":
    """Each sample as it ends."""
    from lmlab.generation.complete import sample
    from lmlab.results.completions import collect

    drawn: list[list[Step]] = [[] for _ in range(arguments.n)]
    steps = sample(lm, arguments.prompt, config, n=arguments.n, bos=arguments.bos)
    with closing(steps):  # type: ignore[type-var]
        for which, step in steps:
            drawn[which].append(step)
            if step.finish:
                yield which, collect(lm.name, arguments.prompt, drawn[which])


def _stream(
    lm: "LM", asked: "Given", arguments: argparse.Namespace, config: GenerateConfig
) -> None:
    """Write the text as it is drawn, sample after sample; how it went goes to stderr."""
    from lmlab.generation.complete import generate
    from lmlab.results.completions import collect
    from lmlab.terminal.listing import visible_text

    for i in range(arguments.n):
        steps = []
        one = replace(config, seed=config.seed + i)
        for step in generate(lm, arguments.prompt, one, bos=arguments.bos):
            steps.append(step)
            sys.stdout.write(visible_text(step.shown))
            sys.stdout.flush()
        sys.stdout.write("\n")
        done = collect(lm.name, arguments.prompt, steps)
        print(
            f"[{len(steps)} tokens · ln p {done.logprob:.2f} nats · perplexity "
            f"{done.perplexity:.2f} · seed {one.seed} · start {' '.join(asked.start) or 'none'} · "
            f"ended by {done.finish_reason}]",
            file=sys.stderr,
        )


def _compare(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    quiet()
    from lmlab.models.store import ModelRef, ModelStore

    names = [name for name in arguments.models.split(",") if name.strip()]
    if len(names) < 2:
        raise InputError("Name two models at least.", "For instance --models base,base+qa.")
    if arguments.receipt and arguments.prompt is not None:
        raise InputError(
            "A receipt compares models on a text.", "Give --text in place of --prompt."
        )
    refs = [_dialled(ModelRef.parse(name), arguments.alpha) for name in names]
    with ModelStore().borrow_all(refs) as lms:
        if arguments.prompt is not None:
            _compare_prompt(lms, arguments, config)
        else:
            _compare_text(lms, arguments)


def _dialled(ref: "ModelRef", alpha: float) -> "ModelRef":
    return replace(ref, alpha=alpha) if ref.adapter else ref


def _compare_prompt(lms: "list[LM]", arguments: argparse.Namespace, config: GenerateConfig) -> None:
    from lmlab.generation.advice import given
    from lmlab.generation.sidebyside import generate_side_by_side
    from lmlab.results.completions import collect
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
    from lmlab.lm.model import narrowed
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
        return
    if arguments.receipt:
        from lmlab.receipts.texts import compared

        sys.stdout.write(compared(found[0]))
        return
    for one in found:
        print_compared(one)


def write_json(value: dict[str, Any]) -> None:
    """One object on one line of standard output."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not utf8, allow_nan=False) + "\n")
    sys.stdout.flush()
