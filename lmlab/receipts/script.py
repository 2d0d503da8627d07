"""Fills the templates of receipts and puts their heads on: imports, versions, how they are run.

Whatever a template is given stands in the script as a Python literal, never as code or comment;
``code`` marks what is code of our own, ``fixed`` writes a number with six decimals.
"""

import ast
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined
from markupsafe import Markup

from lmlab.assets import in_checkout
from lmlab.errors import InputError, ModelError
from lmlab.models.backends import lacking
from lmlab.models.gives import OF_WEIGHTS, WEIGHTS
from lmlab.models.refs import ModelRef

MOST = 400_000  # characters of a script
_ALPHA = re.compile(r" \(α = ([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\)$")
PLAIN = ("itertools", "json", "math", "random", "sys")
# What scripts call, by where it comes from.
NAMES = {
    "jinja2.sandbox": "ImmutableSandboxedEnvironment",
    "peft": "LoraConfig PeftModel PromptTuningConfig get_peft_model load_peft_weights "
    "set_peft_model_state_dict",
    "tokenizers": "Regex Tokenizer models pre_tokenizers trainers",
    "transformers": "AutoConfig AutoModelForCausalLM AutoTokenizer LlamaConfig LlamaForCausalLM "
    "MinPLogitsWarper RepetitionPenaltyLogitsProcessor TemperatureLogitsWarper TopKLogitsWarper "
    "TopPLogitsWarper get_scheduler",
}
VERSIONED = ("torch", "transformers", "peft", "tokenizers")


@dataclass(frozen=True)
class Source:
    """Where a script finds a model."""

    model: str  # folder or Hub id
    adapter: str = ""  # the same of a PEFT adapter; empty for none
    alpha: float = 1.0  # factor of the adapter's scale
    revision: str = ""  # of a Hub id; empty for the newest
    own: bool = False  # whether something is the visitor's own, to be downloaded first


def source_of(shown: str) -> Source:
    """Where the model of a result comes from, by the name that the result shows; a ModelError where
    it has no weights that anybody could load.

    >>> source_of("base+qa (α = 0.5)")
    Source(model='assets/models/base', adapter='assets/models/adapters/qa', alpha=0.5, \
revision='', own=False)
    """
    turned = _ALPHA.search(shown)
    ref = ModelRef.cut(shown[: turned.start()] if turned else shown)
    if why := lacking(ref.name, WEIGHTS):
        raise ModelError(f"{why} A receipt loads a model’s weights.", OF_WEIGHTS)
    name, adapter, revision = ref.name, ref.adapter or "", ref.revision or ""
    own = "run:" in shown
    if name.startswith("run:"):
        name, revision = "downloaded", ""
    elif adapter.startswith("run:"):
        adapter = "downloaded"
    return Source(
        model=in_checkout(name),
        adapter=in_checkout(adapter, "adapters/", "adapter_config.json") if adapter else "",
        alpha=float(turned[1]) if turned else 1.0,
        revision=revision,
        own=own,
    )


def script(
    template: str,
    models: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
    /,
    **values: Any,
) -> str:
    """A whole script from a template, named by its path below the package without ``.py.jinja``.

    ``models`` are names of one model or two; ``more`` are further arguments of the script, each
    with what it is by default; ``values`` are what else the template names. A script that would be
    too long is an InputError, a model without weights a ModelError.
    """
    sources = [source_of(name) for name in models]
    arguments = {}
    for number, source in zip(("", "2"), sources, strict=False):
        arguments[f"MODEL{number}"] = source.model
        if source.adapter:
            arguments[f"ADAPTER{number}"] = source.adapter
    arguments |= more or {}
    filled = _templates().get_template(f"{template}.py.jinja")
    return filled.render(sources=sources, arguments=arguments, **values)


def _templates() -> Environment:
    """Of all templates in the package: what they are given is escaped as Python."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1]),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_literal,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.globals["python"] = Markup(platform.python_version())
    found.filters |= {
        "code": Markup,
        "fixed": lambda value: Markup(f"{value:.6f}"),
        "imports": _imports,
    }
    return found


def _literal(value: Any) -> Markup:
    """A value as Python source: whatever is in a text, it stays a text."""
    if isinstance(value, Undefined):
        str(value)  # raises
    return value if isinstance(value, Markup) else Markup(repr(value))


def _imports(code: str) -> dict[str, Markup]:
    """The imports that a script's code needs, and the versions of the libraries among them."""
    if len(code) > MOST:
        long = f"The receipt would have {len(code):,} characters."
        raise InputError(long, "Take a shorter text or fewer.")
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    plain = [f"import {name}" for name in PLAIN if name in used]
    taken: dict[str, list[str]] = {"torch": []} if "torch" in used else {}
    for module, names in NAMES.items():
        if found := [name for name in names.split() if name in used]:
            taken[module] = found
    libraries = [_from(module, names) for module, names in taken.items()]
    known = [name for name in VERSIONED if name in taken]
    return {
        "lines": Markup("\n".join([*plain, *[""] * bool(plain and libraries), *libraries])),
        "versions": Markup("".join(f", {name} {version(name)}" for name in known)),
    }


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}" if names else f"import {module}"
    if len(line) <= 100:
        return line
    listed = ",\n    ".join(names)
    return f"from {module} import (\n    {listed},\n)"
