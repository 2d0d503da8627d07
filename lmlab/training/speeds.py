"""How fast this machine measures a model, and how much is measured therefore."""

from collections.abc import Sequence
from itertools import accumulate

from lmlab.budget import Clock
from lmlab.models.tokens import encode_prompt
from lmlab.text.sets import evenly
from lmlab.training.batches import mean_loss
from lmlab.training.events import Sized
from lmlab.training.measuring import Measures
from lmlab.training.rows import Example
from lmlab.training.sizing import FEWEST, PASSES, Budget, Needs, priced, whole_of

QUICK = 0.2  # seconds below which a measurement of speed is made again
MOST, GROWS = 32, 4  # held-out rows that it takes at most, and how many times more each time


def sized(measures: Measures, train: Sequence[Example], budget: Budget) -> Sized:
    """How much is measured in a run over some rows, from the speed of the first rows and of one
    answer; that answer is kept as the first sample. Raises HaltedError: the run is to end.
    """
    config, clock = measures.tuned.config, budget.clock
    began = clock()
    token = _reading(measures, clock)
    spent = clock() - began
    read = _mean([len(row.ids) + config.soft for row in train]) * config.batch_size
    step = PASSES * token * read * config.accumulation
    needs = _needs(measures, token, _answering(measures, clock))
    used = budget.size(needs, config, step, spent)
    return Sized(0, used, priced(whole_of(needs), needs), config.evaluate_every)


def _reading(measures: Measures, clock: Clock) -> float:
    """Seconds to read one token of some rows: of few, and where that is quick of more, since the
    first time is slower and few rows leave a machine idle."""
    tuned, some = measures.tuned, measures.valid or measures.probe
    soft, count, seconds = tuned.config.soft, FEWEST["valid"], 0.0
    tuned.model.eval()
    while True:
        rows, began = evenly(some, count), clock()
        with measures.autocast():
            mean_loss(tuned.model, rows, soft, measures.keep, tuned.base.device, measures.ask)
        seconds = clock() - began
        if seconds > QUICK or count >= MOST:
            return seconds / sum(len(row.ids) + soft for row in rows)
        count *= GROWS


def _answering(measures: Measures, clock: Clock) -> float:
    """Seconds to complete one row; where that is quick, of the second time."""
    if not measures.valid or not (measures.answerable or measures.tuned.config.samples):
        return 0.0
    lm, seconds = measures.lm(), 0.0
    for _ in range(2):
        began = clock()
        measures.made[0] = measures.sample(lm, 0, 0, measures.valid[0])
        seconds = clock() - began
        if seconds > QUICK:
            break
    return seconds


def _needs(measures: Measures, token: float, answer: float) -> Needs:
    """The seconds that each number of rows, texts, answers and samples takes, about."""
    soft, samples = measures.tuned.config.soft, measures.tuned.config.samples
    valid, probe = (
        _mean([token * (len(row.ids) + soft) for row in rows])
        for rows in (measures.valid, measures.probe)
    )
    return {
        "valid": [valid * n for n in range(len(measures.valid) + 1)],
        "probe": [probe * n for n in range(len(measures.probe) + 1)],
        "answers": [0.0, *accumulate(_answers(measures, token, answer))],
        "samples": [answer * n for n in range(min(samples, len(measures.valid)) + 1)],
    }


def _answers(measures: Measures, token: float, answer: float) -> list[float]:
    """The seconds that each further answer takes: choices are read, and what is written to prompts
    of one length is written side by side."""
    template, lengths, found = measures.template, set[int](), list[float]()
    for prompt, _ in measures.answerable if template else ():
        length = len(encode_prompt(measures.tuned.vocabulary, prompt.text))
        chooses = template is not None and template.chooses
        written = 0.0 if length in lengths else answer
        found.append(length * len(prompt.targets) * token if chooses else written)
        lengths.add(length)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
