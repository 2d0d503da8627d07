"""What a run starts from: a base by its whole name, a private copy of it, an adapter that it goes
on from, and its rows as examples.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from lmlab.models.backends.transformers.loading import inspect, load, outline
from lmlab.models.backends.transformers.model import Weights
from lmlab.models.refs import RUN
from lmlab.models.tokenizers import fitted, read_vocabulary
from lmlab.runs.model_store import ModelRef, ModelStore, Progress
from lmlab.settings import Settings
from lmlab.text.rows import Faults, told
from lmlab.text.templates import PromptTemplate
from lmlab.training import onward
from lmlab.training.config import FinetuneConfig, suited_rank, suited_rate
from lmlab.training.examples import Material, checked, structured
from lmlab.training.measuring import probes
from lmlab.training.methods import Tuned, prepare, shape_of, stops_of, taught_end
from lmlab.training.outlines import Outline
from lmlab.training.sets import TuningData, columns_of


def started_from(model: str, store: ModelStore) -> tuple[str, str]:
    """The base and the adapter that a run starts from, in names that mean the same from anywhere;
    the second is empty where it starts from the base alone.

    Raises:
        ModelError: there is no such run.
    """
    ref = ModelRef.parse(store.pinned(model))
    adapter = ref.adapter or ""
    if ref.name.startswith(RUN):
        run = store.run(ref.name)
        if run.spec.config.is_adapter:
            step = f"@{ref.revision}" if ref.revision else ""
            return run.spec.model, adapter or f"{ref.name}{step}"
    return str(replace(ref, adapter=None)), adapter


def adapter_folder(base: str, adapter: str, store: ModelStore) -> Path:
    """Where the adapter lies that a run starts from; fetched first if it is on the Hub."""
    ref = ModelRef.parse(base).with_adapter(adapter)
    return store.resolve_adapter(ref, lambda message: None)


def outline_of(
    model: str, store: ModelStore, on_progress: Progress = lambda message: None
) -> Outline:
    """A model's parameters and tokenizer, without its weights; an adapter on it is left out."""
    ref = ModelRef.parse(started_from(model, store)[0])
    folder = inspect(store.resolve(ref, on_progress), ref.name)
    empty = outline(folder)
    vocabulary = fitted(read_vocabulary(folder.path, folder.name), empty, folder.name)
    end = taught_end(vocabulary, _stops(folder.path, empty))
    return Outline(shape_of(empty, str(ref)), vocabulary, end, empty)


def _stops(folder: Path, made: Any) -> tuple[int, ...]:
    """The end tokens of a folder's generation config; without one, of the model's own config."""
    file = folder / "generation_config.json"
    try:
        return stops_of(
            GenerationConfig.from_pretrained(folder) if file.is_file() else made.generation_config
        )
    except (OSError, ValueError):
        return ()


def private(model: str, settings: Settings, config: FinetuneConfig) -> Weights:
    """A copy of a model's weights that nobody else uses, without the adapter on it.

    Weights that learn are kept in float32; a base that only carries an adapter may be in bfloat16.

    Raises:
        ModelError: unknown or unreadable.
    """
    store = ModelStore(settings)
    ref = ModelRef.parse(started_from(model, store)[0])
    folder = store.resolve(ref, lambda message: None)
    wide = not config.is_adapter or config.precision in ("float32", "float16")
    dtype = "float32" if wide or settings.dtype == "float16" else settings.dtype
    return load(inspect(folder, ref.name), settings.model_copy(update={"dtype": dtype}))


def ready(
    base: str, adapter: str, settings: Settings, config: FinetuneConfig, device: Any = None
) -> Tuned:
    """A private copy made ready, with an adapter's weights in what learns where one is named.

    Raises:
        LabError: one of the two cannot be read, or does not fit.
    """
    weights = private(base, settings, config)
    if device is not None:
        weights.model.to(device)
    tuned = prepare(weights.model, weights.vocabulary, base, config)
    if not adapter:
        return tuned
    return onward.put_in(tuned, adapter_folder(base, adapter, ModelStore(settings)))


@dataclass(frozen=True)
class Asked:
    """What a run is asked to do, with what nobody said filled in."""

    base: str  # by its whole name
    adapter: str  # the same; empty where the run starts from the base alone
    config: FinetuneConfig
    outline: Outline  # the base's parameters and tokenizer
    chosen: tuple[str, ...] = ()  # what was chosen for the model's size, in sentences


def settled(
    model: str,
    store: ModelStore,
    given: dict[str, Any],
    usual: dict[str, Any] | None = None,
    on_progress: Progress = lambda message: None,
) -> Asked:
    """A run's settings: what is given, else the adapter's that it goes on from, else what is usual,
    else what suits the model's size. A model of the Hub is fetched first.

    Raises:
        LabError: the adapter has others than those that are given, or tuning cannot go on from it.
    """
    base, adapter = started_from(model, store)
    outline = outline_of(base, store, on_progress)
    fixed, known = dict[str, Any](), {**(usual or {})}
    if adapter:
        folder = adapter_folder(base, adapter, store)
        fixed = onward.settings_of(folder, outline.shape)
        known |= {**onward.form_of(folder), **fixed}
    known |= given
    config = FinetuneConfig(**known)
    suited, chosen = _suited(config, known, outline.shape.total)
    config = replace(config, **suited)
    if adapter:
        onward.check(config, fixed, folder.name)
    return Asked(base, adapter, config, outline, chosen)


def _suited(
    config: FinetuneConfig, known: dict[str, Any], parameters: int
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings that nobody said, by the model's size, and a sentence about them."""
    found: dict[str, Any] = {}
    if "learning_rate" not in known:
        found["learning_rate"] = suited_rate(config.method, parameters)
    if config.method == "lora" and "rank" not in known:
        found["rank"] = suited_rank(parameters)
        found |= {} if "alpha" in known else {"alpha": 2.0 * found["rank"]}
    names = {"learning_rate": "learning rate", "rank": "rank"}
    said = [f"{names[key]} {found[key]:g}" for key in names if key in found]
    if not said:
        return found, ()
    told = f"{' and '.join(said)}, as suits {config.method} on {parameters:,} parameters"
    return found, (f"{told[0].upper()}{told[1:]}; --lr and --rank set others.",)


def material(
    tuned: Tuned, template: PromptTemplate | None, data: TuningData, config: FinetuneConfig
) -> Material:
    """Rows structured and checked, and general texts.

    Raises:
        InputError: a row that lacks a column, or has no token that carries loss.
    """
    data.check(columns_of(template))
    faults = Faults(config.skip_bad)
    vocabulary, context = tuned.vocabulary, tuned.context
    train, valid = (
        [*structured(vocabulary, template, rows, config, context, end=tuned.end, faults=faults)]
        for rows in (data.train, data.valid)
    )
    train = checked(train, faults)
    # A held-out row that is too long would stop nothing: it is left out.
    fitting = [example for example in valid if not example.error]
    notes = (told(faults.said),) if faults.said else ()
    return Material(train, fitting, probes(tuned, config), template, notes)
