"""Stage 6: measures every shipped model from the shipped files alone, and writes their cards.

    python -m recipes.report [--resume]

Figures go to ``assets/models/report.json``; the cards hold nothing that was typed by hand.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmlab.generation.complete import sample
from lmlab.generation.sampling import GenerateConfig
from lmlab.models.model import LM
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.settings import Settings
from recipes import cards, formats, measure
from recipes.config import ASSETS
from recipes.sentencetasks import sentence_tasks
from recipes.taskdocs import Task
from recipes.textio import read_rows, write_text
from recipes.tokenizer import EOS
from recipes.tuneconfig import TUNINGS, Tuning
from recipes.wordtasks import word_tasks

SHOTS = (0, 1, 2, 3, 5, 8)
DRAWS, QUERIES, SEED = 5, 6, 20
PRETRAINED = ("base", "small", "tiny")
Figures = dict[str, Any]


def main() -> None:
    """Measures what is missing in the report, then writes report and cards."""
    options = _options()
    file = options.models / "report.json"
    report: Figures = json.loads(file.read_text()) if file.exists() and options.resume else {}
    store = ModelStore(Settings(offline=True), models=options.models)
    for name, stage in stages(store).items():
        if name in report:
            continue
        report[name] = stage()
        write_text(file, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        print(name, flush=True)
    cards.write_all(options.models, report)


def stages(store: ModelStore) -> dict[str, Callable[[], Figures]]:
    """Every measurement by name, for the models that are there."""
    names = store.embedded()
    tuned = [t for t in TUNINGS if t.name in (*names, *_adapters(store))]
    found: dict[str, Callable[[], Figures]] = {"bits_per_byte": lambda: all_bits(store, tuned)}
    for name in (n for n in PRETRAINED if n in names):
        for task in all_tasks():
            found[f"few_shot/{name}/{task.name}"] = _few_shot_stage(store, name, task)
    if tuned:
        found["tuned"] = lambda: {t.name: tuned_figures(store, t) for t in tuned}
        found["questions"] = lambda: question_figures(store)
    found["samples"] = lambda: all_samples(store, tuned)
    return found


def all_bits(store: ModelStore, tuned: list[Tuning]) -> Figures:
    """Bits per byte of every kind of held-out text under every model, adapters included."""
    refs = {name: ModelRef(name) for name in store.embedded()}
    refs |= {t.name: reference(t) for t in tuned}
    return {name: _with(store, ref, bits_by_kind) for name, ref in sorted(refs.items())}


def bits_by_kind(lm: LM) -> Figures:
    """Bits per byte by kind of text."""
    kinds: dict[str, list[str]] = {}
    for row in read_rows(ASSETS / "datasets" / "probes" / "general.jsonl"):
        kinds.setdefault(row["kind"], []).append(row["text"])
    return {kind: round(measure.bits_per_byte(lm, texts), 4) for kind, texts in kinds.items()}


def all_tasks() -> list[Task]:
    """Every in-context task."""
    return [*word_tasks(), *sentence_tasks()]


def _few_shot_stage(store: ModelStore, name: str, task: Task) -> Callable[[], Figures]:
    def stage() -> Figures:
        with store.borrow(name) as lm:
            return few_shot_table(lm, task)

    return stage


def few_shot_table(lm: LM, task: Task) -> Figures:
    """Layout group → shots → accuracy, its spread, and log-likelihood of the answer in nats."""
    table: Figures = {}
    for group, layouts in {"seen": formats.SEEN, "held out": formats.HELD_OUT}.items():
        cells = {n: measure.few_shot(lm, task, layouts, n, DRAWS, QUERIES, SEED) for n in SHOTS}
        table[group] = {
            str(n): [round(c.accuracy, 3), round(c.spread, 3), round(c.logprob, 3)]
            for n, c in cells.items()
        }
    return table


def tuned_figures(store: ModelStore, tuning: Tuning) -> Figures:
    """A variant against the base at its own task, on the test split."""
    rows = read_rows(ASSETS / "datasets" / tuning.data / "test.jsonl")
    train = read_rows(ASSETS / "datasets" / tuning.data / "train.jsonl")
    pairs = [tuning.structure(row) for row in rows]
    if not pairs[0][0]:
        texts = [answer for _, answer in pairs]
        return _compare(
            store, tuning, lambda lm: {"bits per byte": measure.bits_per_byte(lm, texts)}
        )
    shots = "".join(f"{p}{a}\n\n" for p, a in map(tuning.structure, train[:5]))
    few = [(shots + prompt, answer) for prompt, answer in pairs]
    if "label" in rows[0]:
        labels = sorted({f" {row['label']}" for row in rows})
        true = [answer for _, answer in pairs]

        def accuracy(lm: LM, asked: list[tuple[str, str]], end: str) -> float:
            return measure.label_accuracy(lm, [p for p, _ in asked], labels, true)

        return _figures(store, tuning, pairs, few, accuracy, "accuracy")
    return _figures(store, tuning, pairs, few, _ended_match, "exact match")


def _ended_match(lm: LM, pairs: list[tuple[str, str]], end: str) -> float:
    """Exact match of answers up to the sign that ends them."""
    return measure.exact_match(lm, [(prompt, answer + end) for prompt, answer in pairs])


def _figures(
    store: ModelStore,
    tuning: Tuning,
    pairs: list[tuple[str, str]],
    few: list[tuple[str, str]],
    measured: Callable[[LM, list[tuple[str, str]], str], float],
    name: str,
) -> Figures:
    with store.borrow("base") as lm:
        zero, five = measured(lm, pairs, EOS), measured(lm, few, "\n")
    with store.borrow(reference(tuning)) as lm:
        after = measured(lm, pairs, EOS)
    return {
        "measure": name,
        "base, zero-shot": round(zero, 3),
        "base, 5 shots": round(five, 3),
        "tuned": round(after, 3),
    }


def _compare(store: ModelStore, tuning: Tuning, figures: Callable[[LM], Figures]) -> Figures:
    with store.borrow("base") as lm:
        before = figures(lm)
    with store.borrow(reference(tuning)) as lm:
        after = figures(lm)
    (name,) = before
    return {"measure": name, "base": round(before[name], 3), "tuned": round(after[name], 3)}


def question_figures(store: ModelStore) -> Figures:
    """The base at the questions in plain words, where it has seen such a form: zero and 5 shots."""
    rows = read_rows(ASSETS / "datasets" / "qa" / "test.jsonl")
    train = read_rows(ASSETS / "datasets" / "qa" / "train.jsonl")
    plain = next(f for f in formats.SEEN if f.name == "question-answer")
    shots = "".join(plain.shot(*_asked(row)) for row in train[:5])
    found = {}
    with store.borrow("base") as lm:
        for name, head in (("zero-shot, plain words", ""), ("5 shots, plain words", shots)):
            pairs = [(head + plain.query(q), f" {a}\n") for q, a in map(_asked, rows)]
            found[name] = round(measure.exact_match(lm, pairs), 3)
    return found


def all_samples(store: ModelStore, tuned: list[Tuning]) -> Figures:
    """Ten completions of every model at temperature 0.7, as they come."""
    found = {
        name: _with(store, name, free_samples) for name in PRETRAINED if name in store.embedded()
    }
    for tuning in tuned:
        with store.borrow(reference(tuning)) as lm:
            found[tuning.name] = task_samples(lm, tuning)
    return found


def free_samples(lm: LM) -> list[str]:
    """From the start token."""
    config = GenerateConfig(max_new_tokens=60, temperature=0.7, seed=SEED, alternatives=0)
    texts = [""] * 10
    for which, step in sample(lm, "", config, n=10):
        texts[which] += step.shown
    return texts


def task_samples(lm: LM, tuning: Tuning) -> list[str]:
    """From the prompts of ten rows of the test split."""
    rows = read_rows(ASSETS / "datasets" / tuning.data / "test.jsonl")[:10]
    prompts = [tuning.structure(row)[0] for row in rows]
    if not prompts[0]:
        return free_samples(lm)
    config = GenerateConfig(max_new_tokens=16, temperature=0.7, seed=SEED, alternatives=0)
    return [
        prompt + " ⟶ " + "".join(step.shown for _, step in sample(lm, prompt, config, n=1))
        for prompt in prompts
    ]


def reference(tuning: Tuning) -> ModelRef:
    """How lmlab names the variant."""
    name = tuning.name.removeprefix("adapters/")
    return ModelRef("base", name) if tuning.name != name else ModelRef(name)


def _asked(row: dict[str, str]) -> tuple[str, str]:
    return row["question"], row["answer"]


def _adapters(store: ModelStore) -> list[str]:
    return [f"adapters/{name}" for name in store.embedded_adapters()]


def _with(store: ModelStore, ref: ModelRef | str, measured: Callable[[LM], Any]) -> Any:
    with store.borrow(ref) as lm:
        return measured(lm)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=ASSETS / "models")
    parser.add_argument("--resume", action="store_true", help="keep what the report holds already")
    return parser.parse_args()


if __name__ == "__main__":
    main()
