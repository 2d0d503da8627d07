"""What training takes of memory against what was said before, over methods, sizes and lengths.

``python -m bench.memory`` prints estimate, measured and their ratio, case by case; each case trains
for two steps in a forked process of its own. Linux alone: it reads /proc.
"""

import json
import os
import random
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lmlab.training.config import FinetuneConfig

VOCABULARY = 4096


@dataclass(frozen=True)
class Case:
    """One run: a model's make and sizes, rows and method."""

    kind: str = "llama"
    hidden: int = 256
    layers: int = 6
    rows: int = 8
    width: int = 256
    answers: int = 0  # tokens of each row that carry loss; 0: all
    vocabulary: int = VOCABULARY
    config: FinetuneConfig = field(default_factory=FinetuneConfig)

    @property
    def name(self) -> str:
        """In a few words."""
        config = self.config
        how = {"lora": config.targets, "selective": ",".join(config.parts)}.get(config.method, "")
        loss = self.answers or "all"
        return (
            f"{self.kind} {self.layers}×{self.hidden} V={self.vocabulary} {config.method} {how} "
            f"{self.rows}×{self.width} loss={loss} r={config.dropout}"
        )


def cases() -> list[Case]:
    """Those that are measured."""
    full = FinetuneConfig(method="full", learning_rate=1e-5)
    lora = FinetuneConfig(method="lora", targets="all-linear")
    few = FinetuneConfig(method="lora", targets="auto")
    soft = FinetuneConfig(method="prompt", length=20)
    head = FinetuneConfig(method="selective", parts=("head",))
    upper = FinetuneConfig(method="selective", parts=("4", "5"))
    lower = FinetuneConfig(method="selective", parts=("0",))
    biases = FinetuneConfig(method="selective", parts=("norms",))
    dropped = replace(lora, dropout=0.1)
    dora = replace(lora, dora=True)
    all_ways = (full, lora, few, soft, head, upper, lower, biases, dropped, dora)
    found = [Case(config=one) for one in all_ways]
    for kind in ("gpt2", "gpt_neox", "opt", "qwen2"):
        found += [Case(kind=kind, config=one) for one in (full, lora, soft, head)]
        found += [Case(kind=kind, width=512, rows=16, config=full)]
    small: dict[str, Any] = {"width": 128, "rows": 4}
    found += [Case(config=one, **small) for one in (full, lora)]
    found += [Case(kind="gpt2", config=soft, **small)]
    found += [Case(width=width, rows=rows, config=one) for one in (full, lora, soft)
              for width, rows in ((32, 16), (128, 16), (512, 4), (512, 16), (1024, 4))]  # fmt: skip
    found += [Case(hidden=768, layers=12, rows=2, width=128, config=one) for one in (full, lora)]
    found += [Case(hidden=512, layers=8, config=one) for one in (full, lora, soft)]
    found += [Case(vocabulary=50_000, rows=8, width=256, config=one) for one in (full, lora)]
    found += [Case(vocabulary=50_000, rows=8, width=256, answers=8, config=one)
              for one in (full, lora, soft)]  # fmt: skip
    return found


def model_of(case: Case) -> Any:
    """A model of random weights."""
    from transformers import (
        AutoModelForCausalLM,
        GPT2Config,
        GPTNeoXConfig,
        LlamaConfig,
        OPTConfig,
        Qwen2Config,
    )

    h, n, heads = case.hidden, case.layers, max(1, case.hidden // 64)
    context = max(1024, case.width + 64)
    like: dict[str, Any] = {
        "vocab_size": case.vocabulary, "hidden_size": h, "num_hidden_layers": n,
        "num_attention_heads": heads, "max_position_embeddings": context,
    }  # fmt: skip
    wide: dict[str, Any] = {"intermediate_size": 4 * h}
    kinds: dict[str, Any] = {
        "llama": lambda: LlamaConfig(**like, intermediate_size=round(8 * h / 3 / 8) * 8,
                                     num_key_value_heads=max(1, heads // 2)),
        "qwen2": lambda: Qwen2Config(**like, **wide, num_key_value_heads=max(1, heads // 2),
                                     tie_word_embeddings=True),
        "gpt_neox": lambda: GPTNeoXConfig(**like, **wide),
        "opt": lambda: OPTConfig(**like, ffn_dim=4 * h, word_embed_proj_dim=h),
        "gpt2": lambda: GPT2Config(vocab_size=case.vocabulary, n_embd=h, n_layer=n, n_head=heads,
                                   n_positions=context),
    }  # fmt: skip
    made: Any = AutoModelForCausalLM
    return made.from_config(kinds[case.kind]())


def material_of(case: Case, n: int = 32) -> Any:
    """Rows of one length."""
    from lmlab.training.examples import Material
    from lmlab.training.rows import Example

    rng = random.Random(0)
    start = case.width - case.answers if case.answers else 1

    def example(number: int) -> Example:
        ids = tuple(rng.randrange(case.vocabulary) for _ in range(case.width))
        return Example(ids, start, start, 0, False, 0, "", "", None, number)

    rows = [example(i + 1) for i in range(max(n, case.rows))]
    probe = [replace(row, loss_from=1) for row in rows[:4]]
    return Material(rows, rows[:4], probe)


def measured(case: Case) -> int:
    """Bytes that two steps, an evaluation and a checkpoint took at their most, on top of a process
    that has imported all.
    """
    import torch

    from lmlab.training.finetune import finetune
    from lmlab.training.methods import prepare

    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        with os.fdopen(reader) as said:
            text = said.read()
        os.waitpid(child, 0)
        if not text:
            raise RuntimeError(f"{case.name}: the process died")
        return int(text)
    try:
        torch.set_num_threads(1)
        before = peak()
        config = replace(
            case.config, steps=2, batch_size=case.rows, evaluate_every=1, save_every=1, samples=0,
            sample_every=0, answer_rows=0, probe_rows=4,
        )  # fmt: skip
        tuned = prepare(model_of(case), words(), "model", config)
        with tempfile.TemporaryDirectory() as out:
            for _ in finetune(tuned, material_of(case), out=Path(out)):
                pass
        os.write(writer, str(peak() - before).encode())
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(0)


def words() -> Any:
    """A vocabulary, of which nothing but its end token matters here."""
    from lmlab.assets import models_dir
    from lmlab.models.tokenizers import read_vocabulary

    return read_vocabulary(models_dir() / "base", "base")


def peak() -> int:
    """The most that this process has taken of memory, bytes."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def estimated(case: Case) -> Any:
    """The counts of a case."""
    import torch

    from lmlab.training.counting import Load, count
    from lmlab.training.methods import shape_of
    from lmlab.training.outlines import Outline

    with torch.device("meta"):
        model = model_of(case)
    shape = shape_of(model, "model")
    outline = Outline(shape, words(), model=model)
    load = Load(case.rows, case.width, case.answers or case.width - 1)
    config = replace(case.config, batch_size=case.rows, probe_rows=4)
    return count(shape, config, load=load, kept=outline.kept)


def main() -> None:
    """Print the table."""
    import sys

    wanted = sys.argv[1:]
    worst = [1.0, 1.0]
    for case in cases():
        if wanted and not any(word in case.name for word in wanted):
            continue
        took, said = measured(case), estimated(case)
        ratio = said.memory_bytes / took
        worst = [min(worst[0], ratio), max(worst[1], ratio)]
        print(f"{said.memory_bytes / 1e6:8.0f} {took / 1e6:8.0f} MB {ratio:5.2f}  {case.name}",
              flush=True)  # fmt: skip
    print(json.dumps({"lowest": worst[0], "highest": worst[1]}))


if __name__ == "__main__":
    main()
