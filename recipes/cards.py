"""The cards of the shipped models: fixed sentences around figures from the report and the run."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from lmlab.assets import SHIPPED
from recipes import heldout
from recipes.config import SHAPES
from recipes.publish import STEPS
from recipes.textio import write_text
from recipes.tuneconfig import TUNINGS, Tuning
from recipes.wordtasks import word_tasks

Figures = dict[str, Any]
FRONT = """---
license: {licence}
language: [en, de]
library_name: {library}{origin}
pipeline_tag: text-generation
---
"""
LIMITS = """## Limits

A very small model, made to be looked at: it invents facts, knows little beyond simple stories and
short word tasks, reflects the stereotypes of old children's books and synthetic stories, and must
not be used for anything that matters.
"""
DATA_LICENCE = """Weights: Apache-2.0. They were trained on text under the licences named above; of
the share-alike parts (Wikipedia, TinyStories) no rows are contained here.
"""


def write_all(models: Path, report: Figures) -> None:
    """A README.md in every model's folder that the report measured."""
    for name in SHAPES:
        if (models / name / "training.json").exists():
            write_text(models / name / "README.md", pretrained(models, name, report))
    if (models / STEPS).is_dir():
        write_text(models / STEPS / "README.md", checkpoints(models, report))
    for tuning in TUNINGS:
        if (models / tuning.name / "figures.json").exists():
            write_text(models / tuning.name / "README.md", tuned(models, tuning, report))


def pretrained(models: Path, name: str, report: Figures) -> str:
    """The card of a pre-trained model."""
    story = json.loads((models / name / "training.json").read_text(encoding="utf-8"))
    shape = SHAPES[name]
    size = parameters(models / name)
    parts = [
        "# " + name,
        f"A Llama-style decoder of {size:,} parameters ({shape.layers} layers, width "
        f"{shape.hidden}, {shape.heads} heads, context {shape.context}, byte-level BPE of "
        f"{shape.vocabulary:,} tokens), pre-trained from nothing by lmlab's own recipe.",
        "## Data",
        _mixture(story["mixture"]),
        "Task documents are generated: many short tasks in many layouts. Never shown in training: "
        f"the layouts {', '.join(sorted(heldout.FORMATS))}; and, in tasks that can generalise, "
        f"the words {', '.join(sorted(heldout.WORDS))}.",
        DATA_LICENCE,
        "## Recipe",
        _run(story["config"]),
        "## Held-out bits per byte",
        _bits(report["bits_per_byte"], [name]),
        few_shot(report, name),
        _samples(report, name, "Ten samples at temperature 0.7, seed fixed, as they come"),
        LIMITS,
    ]
    front = FRONT.format(licence="apache-2.0", library="transformers", origin="")
    return front + "\n\n".join(part.strip() for part in parts if part) + "\n"


def _run(config: Figures) -> str:
    """The pre-training run in a sentence."""
    fallen = config["fall_from"] + config["fall"]
    return (
        f"`python -m recipes.pretrain --shape {config['shape']}`: steps of "
        f"{config['batch_tokens']:,} tokens in windows of {config['window']}, Muon for the "
        f"matrices (lr {config['muon_lr']}), AdamW for the rest (lr {config['adam_lr']}), "
        f"task documents from step {config['tasks_from']:,} on, a rate that falls to nothing "
        f"from step {config['fall_from']:,} to {fallen:,}, and again, from "
        f"{config['again_rate']} of its height, to {fallen + config['again']:,}, "
        f"seed {config['seed']}."
    )


def checkpoints(models: Path, report: Figures) -> str:
    """The card of the checkpoints."""
    names = sorted(
        (n for n in report["bits_per_byte"] if n.startswith(f"{STEPS}/")),
        key=lambda n: int(n.rsplit("-", 1)[1]),
    )
    return (
        "# base-steps\n\nCheckpoints along the pre-training of `base`, from step 0 on, evenly "
        "spaced in the logarithm of the step; matrices in eight bits a number, so that all of them "
        "fit. Each folder loads by itself.\n\n## Held-out bits per byte\n\n"
        f"{_bits(report['bits_per_byte'], names)}\n"
    )


def tuned(models: Path, tuning: Tuning, report: Figures) -> str:
    """The card of a tuned variant."""
    made = json.loads((models / tuning.name / "figures.json").read_text(encoding="utf-8"))
    how = {
        "full": "full fine-tuning of every weight",
        "lora": f"LoRA of rank {tuning.rank} on all linear layers",
        "prompt": f"prompt tuning: {tuning.length} learned vectors before the text",
    }[tuning.method]
    figures = report.get("tuned", {}).get(tuning.name, {})
    rows = [f"| {key} | {value} |" for key, value in figures.items() if key != "measure"]
    if tuning.data == "qa":
        rows += [f"| base, {k} | {v} |" for k, v in report.get("questions", {}).items()]
    prompt, answer = tuning.structure(_first_row(models, tuning))
    form = f"{prompt}⟶{answer}" if prompt else "the text alone"
    parts = [
        f"# {tuning.name}",
        f"`base` after {how}: {tuning.about}. Made from `assets/datasets/{tuning.data}` by "
        f"`python -m recipes.tune --only {tuning.name}`: {tuning.epochs} epochs, learning rate "
        f"{tuning.lr}, seed 20, {made['seconds']} s on two cores; held-out loss after each epoch "
        f"{', '.join(map(str, made['valid_loss']))} nats.",
        "## Use\n\n" + _use(tuning),
        "## Form\n\nThe loss is on what follows ⟶, and on the end token after it:\n\n"
        f"```\n{form}\n```",
        f"## At its task (test split), {figures.get('measure', '')}\n\n| | |\n|---|---|\n"
        + "\n".join(rows),
        "## Held-out bits per byte: what it forgot",
        _bits(report["bits_per_byte"], ["base", tuning.name]),
        _samples(report, tuning.name, "Ten samples at temperature 0.7, seed fixed, as they come"),
        "## Licence\n\nApache-2.0; the data's own licence stands in "
        f"assets/datasets/{tuning.data}.",
        LIMITS,
    ]
    library = "transformers" if tuning.method == "full" else "peft"
    front = FRONT.format(
        licence="apache-2.0", library=library, origin=f"\nbase_model: {SHIPPED}base"
    )
    return front + "\n\n".join(part.strip() for part in parts if part) + "\n"


def _use(tuning: Tuning) -> str:
    """How it is had without lmlab."""
    auto = "AutoModelForCausalLM" if tuning.method == "full" else "AutoPeftModelForCausalLM"
    return (
        f'In a checkout of lmlab: `{auto}.from_pretrained("{SHIPPED}{tuning.name}")`; the base '
        f"and its tokenizer are `{SHIPPED}base`."
    )


def parameters(folder: Path) -> int:
    """Numbers in a model's safetensors."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="pt") as file:
        return sum(file.get_tensor(key).numel() for key in file.keys())  # noqa: SIM118


def _first_row(models: Path, tuning: Tuning) -> dict[str, Any]:
    file = models.parent / "datasets" / tuning.data / "test.jsonl"
    with file.open(encoding="utf-8") as lines:
        row: dict[str, Any] = json.loads(next(lines))
    return row


def _mixture(parts: Sequence[Figures]) -> str:
    head = "| part | share | with tasks | falling | again | epochs | licence | origin |\n"
    head += "|---|---|---|---|---|---|---|---|\n"
    rows = (
        f"| {p['name']} | {p['weight']:.0%} | {p['late']:.0%} | {p['falling']:.0%} "
        f"| {p['again']:.0%} | {p['epochs']} | {p['licence']} | {p['origin']} |"
        for p in parts
    )
    return head + "\n".join(rows)


def _bits(table: Figures, names: Sequence[str]) -> str:
    known = [name for name in names if name in table]
    kinds = list(table[known[0]])
    head = f"| | {' | '.join(kinds)} |\n|---|{'---|' * len(kinds)}\n"
    rows = (
        f"| {name.removeprefix(f'{STEPS}/')} | "
        + " | ".join(f"{table[name][kind]:.3f}" for kind in kinds)
        + " |"
        for name in known
    )
    return head + "\n".join(rows)


def few_shot(report: Figures, name: str) -> str:
    """Accuracy by task and shots, in layouts seen in training and in others."""
    start = f"few_shot/{name}/"
    table = {key.removeprefix(start): v for key, v in report.items() if key.startswith(start)}
    if not table:
        return ""
    groups = list(next(iter(table.values())))
    shots = list(table[next(iter(table))][groups[0]])
    text = (
        "## Few-shot\n\nShare of answers that greedy decoding gets exactly right, mean over five "
        "draws of examples and layouts (± spread between draws); the log-likelihoods stand in "
        f"`report.json`.\n\n{_summary(table)}\n"
    )
    for group in groups:
        text += f"\nLayouts {group}:\n\n| task | {' | '.join(shots)} shots |\n"
        text += f"|---|{'---|' * len(shots)}\n"
        for task, found in table.items():
            cells = (f"{found[group][n][0]:.2f} ± {found[group][n][1]:.2f}" for n in shots)
            text += f"| {task} | {' | '.join(cells)} |\n"
    return text


def _summary(table: Figures) -> str:
    """The means over the tasks that look a word up, and where it fails."""
    lexicon = [task.name for task in word_tasks() if not task.generalises]
    means = {
        (group, n): mean(table[name][group][n][0] for name in lexicon)
        for group in ("seen", "held out")
        for n in ("0", "5")
    }
    weak = [name for name, found in table.items() if found["held out"]["5"][0] < 0.5]
    return (
        f"Mean over the lexicon tasks ({', '.join(lexicon)}): "
        + "; ".join(f"{n} shots, layouts {g}: {value:.3f}" for (g, n), value in means.items())
        + f". Below one half at 5 shots in held-out layouts: {', '.join(weak) or 'none'}."
    )


def _samples(report: Figures, name: str, title: str) -> str:
    texts = report.get("samples", {}).get(name)
    if not texts:
        return ""
    return f"## {title}\n\n" + "\n\n".join(f"```\n{text}\n```" for text in texts)
