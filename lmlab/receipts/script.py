"""What every receipt shares: its head, its versions, where its model comes from.

Whatever a visitor typed stands in a script as a Python literal, never as code or comment.
"""

import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from lmlab.assets import models_dir
from lmlab.errors import InputError

MOST = 400_000  # characters of a script
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")
_ALPHA = re.compile(r" \(α = ([-+.\de]+)\)$")
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
    lead = LEAD if coded.input_ids[:1] != LEAD[-1:] else []
    ids, n = torch.tensor(lead + coded.input_ids), len(prefix.rstrip())
    spans = coded.offset_mapping
    first = len(lead) + next(i for i, (a, b) in enumerate(spans) if b > n or a == b == n)
    table = model(ids[None]).logits[0, -len(ids) :].log_softmax(-1)
    return table[max(1, first) - 1 : -1].double(), ids[max(1, first) :]

"""


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
    """
    turned = _ALPHA.search(shown)
    name, _, adapter = shown[: turned.start()].partition("+") if turned else shown.partition("+")
    own = "run:" in shown
    if name.startswith("run:"):
        name = "downloaded"
    elif adapter.startswith("run:"):
        adapter = "downloaded"
    name, _, revision = name.partition("@")
    return Source(
        model=_place(name, "", "config.json"),
        adapter=_place(adapter, "adapters/", "adapter_config.json") if adapter else "",
        alpha=float(turned[1]) if turned else 1.0,
        revision=revision,
        own=own,
    )


def _place(name: str, below: str, marker: str) -> str:
    """A shipped folder as it lies in a checkout; any other name as it is."""
    short = name.removeprefix(below)
    shipped = models_dir() / f"{below}{short}" / marker
    if _NAME.fullmatch(name) and ".." not in name and shipped.is_file():
        return f"assets/models/{below}{short}"
    return name


def script(
    title: str,
    found: Sequence[str],
    body: Iterable[str],
    sources: Sequence[Source],
    more: str = "",
) -> str:
    """A whole script.

    Args:
        title: what it computes, in words of our own.
        found: what lmlab found, in numbers.
        body: its lines after the imports.
        sources: of its models.
        more: further arguments, as they are told.

    Raises:
        InputError: it would be too long.
    """
    lines = [line.rstrip() for part in body for line in part.split("\n")]
    code = "\n".join(lines)
    peft = "peft" in code or "PeftModel" in code
    text = (
        "\n".join([*_head(title, found, sources, peft, more), *_imports(code, peft), code]) + "\n"
    )
    if len(text) > MOST:
        raise InputError(
            f"The receipt would have {len(text):,} characters.", "Take a shorter text or fewer."
        )
    return text


def _head(
    title: str, found: Sequence[str], sources: Sequence[Source], peft: bool, more: str
) -> list[str]:
    used = ["torch", "transformers", *(["peft"] if peft else [])]
    versions = ", ".join(f"{name} {version(name)}" for name in used)
    args = " ".join(
        f"[MODEL{i}{f' [ADAPTER{i}]' if one.adapter else ''}]"
        for i, one in zip(("", "2"), sources, strict=False)
    )
    own = any(source.own for source in sources)
    return [
        f'"""{title}',
        "",
        f"lmlab found {' '.join(found)}.",
        f"Python {platform.python_version()}, {versions}; float32 on the CPU.",
        *(["‘downloaded’ is the run's folder: press Download, then unpack it."] if own else []),
        "Run it in a checkout of lmlab, where assets/models lies, or name folders or Hub ids:",
        f"python receipt.py {args} {more}".rstrip(),
        '"""',
        "",
    ]


CONTROLS = (
    "MinPLogitsWarper",
    "RepetitionPenaltyLogitsProcessor",
    "TemperatureLogitsWarper",
    "TopKLogitsWarper",
    "TopPLogitsWarper",
)
NEEDED = {
    "math.": "import math",
    "sys.": "import sys",
    "json.": "import json",
    "random.": "import random",
    "itertools.": "import itertools",
}


def _imports(code: str, peft: bool) -> list[str]:
    plain = sorted(line for used, line in NEEDED.items() if re.search(rf"\b{used}\w", code))
    autos = ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")
    names = [name for name in autos if f"{name}." in code]
    names += [name for name in CONTROLS if f"{name}(" in code]
    names += ["get_scheduler"] if "get_scheduler(" in code else []
    one = f"from transformers import {', '.join(sorted(names))}"
    long = "from transformers import (\n    " + ",\n    ".join(sorted(names)) + ",\n)"
    found = [*plain, "", "import torch"]
    if "SandboxedEnvironment(" in code:
        found.append("from jinja2.sandbox import ImmutableSandboxedEnvironment")
    kinds = [n for n in ("LoraConfig", "PeftModel", "PromptTuningConfig", "get_peft_model")
             if n in code]  # fmt: skip
    found += [f"from peft import {', '.join(kinds)}"] if peft and kinds else []
    return [*found, one if len(one) <= 100 else long, ""]


def arguments(sources: Sequence[Source]) -> list[str]:
    """MODEL and ADAPTER, MODEL2 and ADAPTER2: from the command line, else as they were."""
    lines, place = [], 1
    for number, source in zip(("", "2"), sources, strict=False):
        for name, value in (("MODEL", source.model), ("ADAPTER", source.adapter)):
            if name == "MODEL" or value:
                lines.append(
                    f"{name}{number} = sys.argv[{place}] if len(sys.argv) > {place} "
                    f"else {literal(value)}"
                )
                place += 1
    return lines


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
