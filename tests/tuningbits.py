"""What the tests of fine-tuning share: small rows, a small private model, a run in this process."""

from dataclasses import replace
from pathlib import Path

from lmlab.models.backends.transformers.loading import inspect, load
from lmlab.runs.bases import material
from lmlab.settings import Settings
from lmlab.text.templates import PromptTemplate
from lmlab.training.config import FinetuneConfig
from lmlab.training.events import TrainStep
from lmlab.training.finetune import finetune
from lmlab.training.methods import prepare
from lmlab.training.sets import TuningData

TEMPLATE = PromptTemplate(
    name="say", query="Say {{ word }}:", target=" {{ answer }}", answer="answer", stop=("\n",)
)
WORDS = "dog cat hill ball grass king garden world man red big time".split()
ROWS = tuple({"word": word, "answer": f"the {word}" + " here" * (i % 3)} for i, word in
             enumerate(WORDS))  # fmt: skip
DATA = TuningData("words", ROWS, ROWS[:4], "upload")
# Quick: few steps, nothing measured on the way that a test does not ask for.
QUICK = FinetuneConfig(
    targets="all-linear",
    rank=4,
    steps=6,
    batch_size=4,
    evaluate_every=0,
    sample_every=0,
    save_every=0,
    answer_rows=0,
    probe_rows=0,
    samples=0,
)


def tuned(folder: Path, config: FinetuneConfig = QUICK):
    """A private copy of a model, made ready."""
    weights = load(inspect(folder, "base"), Settings(device="cpu", dtype="float32"))
    return prepare(weights.model, weights.vocabulary, "base", config)


def run(folder: Path, config: FinetuneConfig = QUICK, *, data=DATA, template=TEMPLATE, **more):
    """All events of a run in this process, and the model."""
    model = tuned(folder, config)
    found = material(model, template, data, config)
    return list(finetune(model, found, **more)), model


def losses(events) -> list[float]:
    return [event.loss for event in events if isinstance(event, TrainStep)]


def quick(**changes) -> FinetuneConfig:
    return replace(QUICK, **changes)
