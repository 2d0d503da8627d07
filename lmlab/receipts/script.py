"""What every receipt shares: its head, its versions, where its model comes from.

Whatever a visitor typed stands in a script as a Python literal, never as code or comment.
"""

import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from lmlab.assets import in_checkout
from lmlab.errors import InputError, ModelError
from lmlab.models.backends import lacking
from lmlab.models.gives import OF_WEIGHTS, WEIGHTS
from lmlab.models.refs import ModelRef

MOST = 400_000  # characters of a script
_ALPHA = re.compile(r" \(α = ([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\)$")
TURNED = """\
for module in {model}.modules():
    if isinstance(getattr(module, "scaling", None), dict):
        module.scaling = {{key: {alpha} * scale for key, scale in module.scaling.items()}}"""
WINDOWED = """\
def rows(model):  # windows of at most LIMIT tokens, each with STEP new ones
    limit = model.config.max_position_embeddings - SOFT
    start = min(max(0, first - KEPT(limit)), first - 1)
    low, high, parts = first, min(len(ids), start + limit + 1), []
    while low < len(ids):
        part = model(ids[None, start : high - 1]).logits[0, start - high + 1 :]
        parts.append(part[low - 1 - start :])
        low, high = high, min(len(ids), high + STEP)
        start = NEXT
    return torch.cat(parts).log_softmax(-1)
"""
WHOLE = """\
def rows(model):  # log-probabilities of what comes next, one row a scored token
    return model(ids[None]).logits[0, -len(ids) :].log_softmax(-1)[first - 1 : -1]
"""
LEAD = 'LEAD = tokenizer("").input_ids  # what the tokenizer puts before a text'
# Encodes once and places the border by offsets; white space before it goes to what follows.
ROWS = """

def rows(model, prefix, text):  # log-probabilities at each scored token, and its id
    coded = tokenizer(prefix + text, add_special_tokens=False, return_offsets_mapping=True)
    lead = LEAD if coded.input_ids[: len(LEAD)] != LEAD else []
    ids, n = torch.tensor(lead + coded.input_ids), len(prefix.rstrip())
    spans = coded.offset_mapping
    first = len(lead) + next(i for i, (a, b) in enumerate(spans) if b > n or a == b == n)
    table = model(ids[None]).logits[0, -len(ids) :].log_softmax(-1)
    return table[max(1, first) - 1 : -1].double(), ids[max(1, first) :]

"""
# After a prefix that opens a chat's turn, white space at its end is given as well.
TURN = ROWS.replace("len(prefix.rstrip())", "len(prefix)")


@dataclass(frozen=True)
class Source:
    """Where a script finds a model.

    Attributes:
        model: folder or Hub id.
        adapter: the same of a PEFT adapter; empty for none.
        alpha: factor of the adapter's scale.
        revision: of a Hub id; empty for the newest.
        own: whether something is the visitor's own, to be downloaded first.
    """

    model: str
    adapter: str = ""
    alpha: float = 1.0
    revision: str = ""
    own: bool = False


def source_of(shown: str) -> Source:
    """Where the model of a result comes from, by the name that the result shows.

    >>> source_of("base+qa (α = 0.5)")
    Source(model='assets/models/base', adapter='assets/models/adapters/qa', alpha=0.5, \
revision='', own=False)

    Raises:
        ModelError: it has no weights that anybody could load.
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
    title: str,
    found: Sequence[str],
    body: Iterable[str],
    sources: Sequence[Source] = (),
    more: Sequence[str] = (),
) -> str:
    """A whole script.

    Args:
        title: what it computes, in words of our own.
        found: what lmlab found, in numbers.
        body: its lines after the imports.
        sources: of its models.
        more: names of further arguments.

    Raises:
        InputError: it would be too long.
    """
    lines = [line.rstrip() for part in body for line in part.split("\n")]
    code = "\n".join(lines)
    imports = _imports(code)
    head = _head(title, found, sources, imports)
    names = [*(name for name, _ in _named(sources)), *more]
    text = "\n".join([*head, *_start(names, code), '"""', "", *imports, code]) + "\n"
    if len(text) > MOST:
        raise InputError(
            f"The receipt would have {len(text):,} characters.", "Take a shorter text or fewer."
        )
    return text


def _head(
    title: str, found: Sequence[str], sources: Sequence[Source], imports: Sequence[str]
) -> list[str]:
    used = [name for name in LIBRARIES if any(f" {name} " in f"{line} " for line in imports)]
    versions = ", ".join(["", *(f"{name} {version(name)}" for name in used)])
    own = any(source.own for source in sources)
    return [
        f'"""{title}',
        "",
        f"lmlab found {' '.join(found)}.",
        f"Python {platform.python_version()}{versions}{'; float32 on the CPU' if used else ''}.",
        *(["‘downloaded’ is the run's folder: press Download, then unpack it."] if own else []),
    ]


def _start(names: Sequence[str], code: str) -> list[str]:
    """How it is run: with no arguments, or with all of them."""
    if names:
        lies = "in a checkout of lmlab, where assets lies, or name folders or Hub ids"
        return [f"Run it {lies}:", f"python receipt.py [{' '.join(names)}]"]
    lies = "in a checkout of lmlab, where assets lies" if "open(" in code else "anywhere"
    return [f"Run it {lies}: python receipt.py"]


LIBRARIES = ("torch", "transformers", "peft", "tokenizers")
AUTOS = ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")
CALLED = (
    "LlamaConfig",
    "LlamaForCausalLM",
    "MinPLogitsWarper",
    "RepetitionPenaltyLogitsProcessor",
    "TemperatureLogitsWarper",
    "TopKLogitsWarper",
    "TopPLogitsWarper",
    "get_scheduler",
)
ADAPTERS = (
    "LoraConfig",
    "PeftModel",
    "PromptTuningConfig",
    "get_peft_model",
    "load_peft_weights",
    "set_peft_model_state_dict",
)
CUTTING = ("Regex", "Tokenizer", "models", "pre_tokenizers", "trainers")
NEEDED = {
    "math.": "import math",
    "sys.": "import sys",
    "json.": "import json",
    "random.": "import random",
    "itertools.": "import itertools",
}


def _imports(code: str) -> list[str]:
    plain = sorted(line for used, line in NEEDED.items() if re.search(rf"\b{used}\w", code))
    names = [name for name in AUTOS if f"{name}." in code]
    names += [name for name in CALLED if f"{name}(" in code]
    kinds = [name for name in ADAPTERS if f"{name}(" in code or f"{name}." in code]
    cutting = [name for name in CUTTING if re.search(rf"\b{name}[.(]", code)]
    found = [*plain, *([""] if plain and "torch." in code else [])]
    found += ["import torch"] if "torch." in code else []
    found += (
        ["from jinja2.sandbox import ImmutableSandboxedEnvironment"] if "Sandbox" in code else []
    )
    found += [f"from peft import {', '.join(kinds)}"] if kinds else []
    found += (
        [f"from tokenizers import {', '.join(cutting)}"]
        if re.search(r"\bTokenizer\(", code)
        else []
    )
    one = f"from transformers import {', '.join(sorted(names))}"
    long = "from transformers import (\n    " + ",\n    ".join(sorted(names)) + ",\n)"
    found += [one if len(one) <= 100 else long] if names else []
    return [*found, ""] if found else []


def arguments(sources: Sequence[Source], **more: str) -> list[str]:
    """MODEL and ADAPTER, MODEL2 and ADAPTER2, and whatever else: from the command line, all of them
    or none, else as they were."""
    named = [*_named(sources), *more.items()]
    names, values = ", ".join(name for name, _ in named), [value for _, value in named]
    return [f"{names if len(named) > 1 else f'[{names}]'} = sys.argv[1:] or {literal(values)}"]


def _named(sources: Sequence[Source]) -> list[tuple[str, str]]:
    """What a script calls its models and adapters, and where they are."""
    found = []
    for number, source in zip(("", "2"), sources, strict=False):
        found.append((f"MODEL{number}", source.model))
        found += [(f"ADAPTER{number}", source.adapter)] if source.adapter else []
    return found


def loading(sources: Sequence[Source]) -> list[str]:
    """``model`` (and ``second``) and ``tokenizer``."""
    lines = [f"tokenizer = AutoTokenizer.from_pretrained(MODEL{_revision(sources[0])})"]
    for variable, number, source in zip(("model", "second"), ("", "2"), sources, strict=False):
        given = f"MODEL{number}{_revision(source)}, dtype=torch.float32"
        lines.append(f"{variable} = AutoModelForCausalLM.from_pretrained({given}).eval()")
        if source.adapter:
            lines.append(
                f"{variable} = PeftModel.from_pretrained({variable}, ADAPTER{number}).eval()"
            )
        if source.alpha != 1:
            lines.append(TURNED.format(model=variable, alpha=repr(source.alpha)))
    return lines


def _revision(source: Source) -> str:
    return f", revision={literal(source.revision)}" if source.revision else ""


def literal(value: Any) -> str:
    """A value as Python source: whatever is in a text, it stays a text."""
    return repr(value)
