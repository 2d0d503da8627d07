"""The functions of a notebook: they take a model's name wherever the core takes a model."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lmlab.errors import InputError
from lmlab.features.prompt import evaluation
from lmlab.features.prompt.evaluations import Evaluation
from lmlab.generation import complete as generation
from lmlab.generation import sidebyside
from lmlab.generation.completions import Completion, Step, collect
from lmlab.generation.config import GenerateConfig
from lmlab.models.chat import question
from lmlab.models.model import LM, narrowed
from lmlab.models.tokens import BosSetting
from lmlab.models.windows import WindowMode
from lmlab.runs import bases, pretrain_worker, worker
from lmlab.runs.model_store import ModelRef, ModelStore
from lmlab.runs.specs import RunSpec, new_pretraining, new_spec
from lmlab.runs.store import RunFolder
from lmlab.scoring import comparison
from lmlab.scoring import score as scoring
from lmlab.scoring.compared import Compared
from lmlab.scoring.score import ScoreRequest
from lmlab.scoring.scored import Scored
from lmlab.settings import Settings
from lmlab.text.protocols import Protocol
from lmlab.text.sets import Dataset, shipped
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import shipped_template
from lmlab.training import corpus as texts
from lmlab.training import finetune as training
from lmlab.training.config import FinetuneConfig, demo
from lmlab.training.events import TrainEvent
from lmlab.training.pretrain_config import PretrainConfig
from lmlab.training.sets import TuningData, shipped_data
from lmlab.training.sizing import Budget

OWNER = "python library"  # whose runs are those that a program makes


def load(name: str | ModelRef, settings: Settings | None = None) -> LM:
    """Load an embedded model, a folder or a Hub id, for this process to keep.

    Args:
        name: for instance ``base``, ``base+qa``, ``./my-model``, ``gpt2``.
        settings: device, number format and limits; by default from the environment.

    Raises:
        ModelError: unknown, unreadable or refused.
    """
    with ModelStore(settings).borrow(name if isinstance(name, ModelRef) else str(name)) as lm:
        return lm


def score(
    model: LM | str,
    text: str,
    *,
    prefix: str = "",
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
    stride: int | None = None,
    end: bool = False,
    context: int | None = None,
    chat: bool = False,
) -> Scored:
    """Score every token of ``text``; other arguments as of ``lmlab.scoring.score.iter_scores``.

    Args:
        context: positions read at once, where fewer than the model can.
        chat: whether ``text`` is scored as a chat model's answer to the question ``prefix``.
    """
    request = ScoreRequest(text, prefix, end)
    return score_many(
        model, [request], top_k=top_k, bos=bos, windows=windows, stride=stride, context=context,
        chat=chat,
    )[0]  # fmt: skip


def score_many(
    model: LM | str,
    requests: Sequence[ScoreRequest | str],
    *,
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    windows: WindowMode = "sliding",
    stride: int | None = None,
    context: int | None = None,
    chat: bool = False,
) -> list[Scored]:
    """Score many texts in batches; arguments as of ``score``."""
    lm = narrowed(_lm(model), context)
    asked = [ScoreRequest(r) if isinstance(r, str) else r for r in requests]
    if chat:
        asked = [replace(r, prefix=question(lm.vocabulary, r.prefix), given=True) for r in asked]
    return scoring.score_many(lm, asked, top_k=top_k, bos=bos, windows=windows, stride=stride)


def generate(
    model: LM | str,
    prompt: str,
    config: GenerateConfig | None = None,
    *,
    start: Sequence[int] = (),
    bos: BosSetting = "tokenizer",
    chat: bool = False,
) -> Iterator[Step]:
    """Complete a prompt token by token; arguments as of ``lmlab.generation.complete.generate``.

    With ``chat`` the prompt is a question, in the model's own chat form.
    """
    lm = _lm(model)
    asked = question(lm.vocabulary, prompt) if chat else prompt
    return generation.generate(lm, asked, config, start=start, bos=bos)


def complete(
    model: LM | str,
    prompt: str,
    config: GenerateConfig | None = None,
    *,
    n: int = 1,
    bos: BosSetting = "tokenizer",
    chat: bool = False,
) -> list[Completion]:
    """n whole completions of a prompt, drawn in one batch with seeds from ``config.seed`` on.

    With ``chat`` the prompt is a question; that of the completions is its chat form.
    """
    lm = _lm(model)
    prompt = question(lm.vocabulary, prompt) if chat else prompt
    steps: list[list[Step]] = [[] for _ in range(n)]
    for which, step in generation.sample(lm, prompt, config, n=n, bos=bos):
        steps[which].append(step)
    return [collect(lm.name, prompt, found) for found in steps]


def side_by_side(
    models: Sequence[str | ModelRef],
    prompt: str,
    config: GenerateConfig | None = None,
    *,
    chat: bool = False,
) -> list[Completion]:
    """One prompt through several models; base and LoRA adapters share a batch and the weights.

    With ``chat`` the prompt is a question, which each model gets in its own chat form.
    """
    steps: list[list[Step]] = [[] for _ in models]
    with ModelStore().borrow_all(models) as lms:
        prompts = [question(lm.vocabulary, prompt) if chat else prompt for lm in lms]
        for which, step in sidebyside.generate_side_by_side(lms, prompts, config):
            steps[which].append(step)
        return [
            collect(lm.name, asked, found)
            for lm, asked, found in zip(lms, prompts, steps, strict=True)
        ]


def compare(
    first: str | ModelRef,
    second: str | ModelRef,
    text: str,
    *,
    prefix: str = "",
    alpha: float = 1.0,
    top_k: int = 10,
    bos: BosSetting = "tokenizer",
    context: int | None = None,
    chat: bool = False,
) -> Compared:
    """Two models on one text; α scales the second one's LoRA adapter. ``context`` and ``chat`` as
    of ``score``.

    See ``lmlab.scoring.comparison.compare`` for what comes back.
    """
    refs = [ModelRef.parse(ref) if isinstance(ref, str) else ref for ref in (first, second)]
    if alpha != 1:
        refs[1] = replace(refs[1], alpha=alpha)
    with ModelStore().borrow_all(refs) as lms:
        one, other = (narrowed(lm, context) for lm in lms)
        return comparison.compare(one, other, text, prefix=prefix, top_k=top_k, bos=bos, chat=chat)


def evaluate(
    model: LM | str,
    template: PromptTemplate | str,
    data: Dataset | str | None = None,
    *,
    shots: int = 0,
    draws: int = 1,
    seed: int = 0,
    limit: int | None = None,
) -> Evaluation:
    """Measure a prompt template on a labelled set, as ``iter_evaluate``.

    Args:
        model: a model or its name.
        template: a template or the name of a shipped one.
        data: a set or the name of a shipped one; by default the one that the template names.
        shots: examples in each prompt.
        draws: how many sets of examples.
        seed: of the draws.
        limit: most queries; None asks all.
    """
    if isinstance(template, str):
        template = shipped_template(template)
    found = data if isinstance(data, Dataset) else shipped(data or template.data)
    protocol = Protocol(shots=shots, draws=draws, seed=seed, limit=limit)
    return evaluation.evaluate(_lm(model), template, found, protocol)


def finetune(
    model: str,
    data: TuningData | str = "qa",
    template: PromptTemplate | str | None = "qa-tuned",
    config: FinetuneConfig | None = None,
    *,
    out: str | Path | None = None,
) -> Iterator[TrainEvent]:
    """Tune a private copy of a model; yields events as they come, the last of them ``Finished``.

    Args:
        model: a name; the copy that others use is left alone. With an adapter on it, training goes
            on from the adapter's weights, in its settings.
        data: rows in two parts, or the name of a shipped set.
        template: a template or the name of a shipped one; None learns the column ``text`` as it is.
        config: method and training; by default the lecture's LoRA, in the template's form.
        out: a new folder for the run, or that of a run to go on with; None writes nothing.

    Raises:
        LabError: something that cannot be trained; says what.
    """
    wording = shipped_template(template) if isinstance(template, str) else template
    form = {"form": wording.form} if wording and wording.form else {}
    given = form if config is None else config.to_dict()
    usual = demo().to_dict()
    for suited in ("learning_rate", "rank", "alpha"):  # to the model's size
        del usual[suited]
    asked = bases.settled(model, ModelStore(), given, usual)
    config = asked.config
    found = data if isinstance(data, TuningData) else shipped_data(data)
    if out is None:
        tuned = bases.ready(asked.base, asked.adapter, Settings(), config)
        budget = Budget(Settings().measure_seconds)
        rows = bases.material(tuned, wording, found, config)
        yield from training.finetune(tuned, rows, budget=budget)
        return
    path = Path(out).resolve()
    spec = new_spec(path.name, OWNER, asked.base, found, wording, config, asked.adapter)
    yield from _in_folder(path, spec, found)


def pretrain(
    text: str = "stories", config: PretrainConfig | None = None, *, out: str | Path | None = None
) -> Iterator[TrainEvent]:
    """Train a small model from nothing; yields events as they come, the last of them ``Finished``.

    Args:
        text: a text that ships (``stories``, ``plays``), or the text itself.
        config: size and training; by default what takes about a minute on one core.
        out: a new folder for the run, or that of a run to go on with; None writes nothing.

    Raises:
        LabError: a text that nothing can be learned from; says why.
    """
    config = config or PretrainConfig()
    known = text in texts.NAMES
    found = texts.shipped_corpus(text) if known else texts.corpus(text, "a text", "file")
    if out is None:
        yield from pretrain_worker.events_of(config, found, Settings())
        return
    path = Path(out).resolve()
    yield from _in_folder(path, new_pretraining(path.name, OWNER, found, config), found)


def _in_folder(path: Path, spec: RunSpec, data: TuningData) -> Iterator[TrainEvent]:
    """Train in a new folder, or go on in that of a run with the same settings."""
    settings = Settings().model_copy(update={"max_train_seconds": 1e12})
    if not (path / "run.json").is_file():
        folder = RunFolder.create(path, spec, data)
        return worker.tried(folder, worker.train(folder, settings))
    folder = RunFolder(path)
    if spec.pretraining is None:
        changed = [*folder.spec.config.difference(spec.config)]
    elif (then := folder.spec.pretraining) is None:
        changed = ["it fine-tunes"]
    else:
        changed = [*then.difference(spec.pretraining)]
    if changed:
        raise InputError(f"The run in ‘{path.name}’ has other settings: {', '.join(changed)}.")
    return worker.train(folder, settings)


def _lm(model: LM | str) -> LM:
    return load(model) if isinstance(model, str) else model
