"""How a command draws tokens: its options, and the config that they make."""

import argparse
from typing import Any

from lmlab.generation.config import GenerateConfig

PLAIN = GenerateConfig()


def add_sampling(parser: Any, default: GenerateConfig) -> None:
    """Declare the options, with what they are by default."""
    add = parser.add_argument
    add("--temperature", type=float, default=default.temperature, help="0 is greedy")
    add("--top-k", type=int, default=default.top_k, help="0 keeps all tokens")
    add("--top-p", type=float, default=default.top_p, help="1 keeps all tokens")
    add("--min-p", type=float, default=default.min_p, help="0 keeps all tokens")
    add("--repetition-penalty", type=float, default=default.repetition_penalty, help="1 is none")
    add("--seed", type=int, default=default.seed, help="of the draws")
    add("--max-new-tokens", type=int, default=default.max_new_tokens, help="longest completion")
    add("--stop", action="append", default=[], metavar="TEXT", help="ends it; may be repeated")


def config_of(arguments: argparse.Namespace) -> GenerateConfig:
    """What the options say."""
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
