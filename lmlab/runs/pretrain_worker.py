"""A run that starts from nothing: tokenizer, weights, steps, card. ``worker`` writes it down."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from lmlab.models.devices import device_of
from lmlab.runs.model_store import ModelStore
from lmlab.runs.store import RunFolder, title_of
from lmlab.scoring.score import score_many
from lmlab.scoring.scored import bits_per_byte
from lmlab.settings import Settings
from lmlab.training.events import Finished, Levels, Reason, Started, TrainEvent
from lmlab.training.pretrain import fresh, matter, pretrain, tokenizer_for
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.sets import TuningData

RIVAL = "base"  # the shipped model whose loss is a line to compare with
CARD = """---
library_name: transformers
pipeline_tag: text-generation
tags: [lmlab, pretraining]
---

# {title}

A Llama-style decoder of {total:,} parameters ({layers} layers, width {width}, {heads} heads,
context {context:,}, byte-level BPE of {vocabulary:,} tokens), trained from nothing with lmlab:
{steps:,} steps in {seconds:.0f} seconds on {device}.

## Data

{data}: {documents:,} documents to learn from, {held:,} held out.

## Settings

| setting | |
|---|---|
{settings}

## Loss, nats a token of its own on held-out text

| | |
|---|---|
{figures}

A model this small, trained for so short a time, is made to be looked at: what it writes is no more
than the habits of its text. The licence of the text it learned from applies to it as well.
"""


def events_of(
    config: PretrainConfig,
    data: TuningData,
    settings: Settings,
    *,
    out: Path | None = None,
    should_stop: Callable[[], Reason | None] = lambda: None,
) -> Iterator[TrainEvent]:
    """The events of a run from nothing, or from the last checkpoint in ``out``, where checkpoints
    and the model go, if anywhere.

    Raises:
        LabError: the text is too short, for instance.
    """
    tokenizer = tokenizer_for(config, data)
    found = matter(config, tokenizer, data)
    tuned = fresh(config, tokenizer)
    tuned.model.to(device_of(settings))
    return pretrain(
        tuned,
        found,
        config,
        out=out,
        rival=lambda texts: measured(texts, settings),
        should_stop=should_stop,
    )


def measured(texts: list[str], settings: Settings) -> tuple[str, float] | None:
    """The shipped base's name and bits per byte on some texts; None where there is no base."""
    store = ModelStore(settings.model_copy(update={"device": "cpu", "dtype": "float32"}))
    if RIVAL not in store.embedded():
        return None
    with store.borrow(RIVAL) as lm:
        return RIVAL, bits_per_byte(score_many(lm, texts, top_k=0))


def card(folder: RunFolder, config: PretrainConfig, started: Started, finished: Finished) -> str:
    """The run's model card as Markdown."""
    spec = folder.spec
    data = folder.data(spec)
    levels = [event for event in folder.events() if isinstance(event, Levels)]
    learned = folder.learned
    size = config.vocabulary
    if learned is not None:
        size = json.loads((learned / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    settings = "\n".join(
        f"| {name.replace('_', ' ')} | {value:g} |" for name, value in config.to_dict().items()
    )
    return CARD.format(
        title=title_of(spec),
        total=started.total,
        layers=config.layers,
        width=config.width,
        heads=config.heads,
        context=config.context,
        vocabulary=size,
        steps=finished.step,
        seconds=finished.seconds,
        device=started.device,
        data=f"`{spec.data}`",
        documents=len(data.train),
        held=len(data.valid),
        settings=settings,
        figures="\n".join(f"| {name} | {value} |" for name, value in _figures(levels, finished)),
    )


def _figures(levels: list[Levels], finished: Finished) -> Iterator[tuple[str, str]]:
    yield "at the start", _said(finished.valid_before)
    yield "at the end", _said(finished.valid_loss)
    if not levels:
        return
    last = levels[-1]
    if finished.bits is not None:
        yield "at the end, bits per byte of the text", _said(finished.bits)
    yield "ln V: every token equally likely", _said(last.uniform)
    yield "entropy of the tokens' frequencies", _said(last.unigram)
    if last.base is not None:
        yield f"`{last.base_name}`, in this model's tokens", _said(last.base)


def _said(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
