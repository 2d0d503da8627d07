"""A model made ready for a method, by PEFT and torch; and what it learned, as files.

The lecture writes LoRA W̃ = W + (α/ℓ)·V·U: V is PEFT's B, U its A, ℓ its r.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PromptTuningConfig, TaskType, get_peft_model
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as USUAL
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from lmlab.errors import InputError
from lmlab.models.backends.transformers.model import context_of
from lmlab.models.chat import turn_end
from lmlab.models.forms import Form, note_form
from lmlab.models.tokens import Vocabulary
from lmlab.text.chat import check_form
from lmlab.training.config import FinetuneConfig
from lmlab.training.seeded import seeded
from lmlab.training.shapes import ModelShape, Parameter, lora_targets, selected


def stops_of(generation: Any) -> tuple[int, ...]:
    """The end tokens that a generation config (or a model's config) names."""
    found = getattr(generation, "eos_token_id", None)
    if found is None:
        return ()
    return tuple(int(one) for one in (found if isinstance(found, list | tuple) else [found]))


def taught_end(vocabulary: Vocabulary, stops: tuple[int, ...]) -> int | None:
    """The token that is put after an answer; ``stops`` are the end tokens of the generation config.

    The tokenizer's own where generation stops at it; else the first control token that generation
    stops at, so that whoever runs the model sees it stop; else the tokenizer's own again. None
    where there is none.
    """
    own = vocabulary.tokenizer.eos_token_id
    if own is not None and (not stops or own in stops):
        return int(own)
    added = vocabulary.tokenizer.added_tokens_decoder
    control = [one for one in stops if one in added and added[one].special]
    return control[0] if control else own


def settle(model: Any, vocabulary: Vocabulary, form: Form) -> int | None:
    """Have a model's generation config stop at what is taught and at the tokenizer's end token; the
    token that is put after an answer in the plain form.
    """
    generation = getattr(model, "generation_config", None)
    stops = stops_of(generation)
    end, turn = taught_end(vocabulary, stops), None
    if generation is None:
        return end
    if form == "chat":
        known, text = vocabulary.tokenizer.added_tokens_decoder, turn_end(vocabulary)
        turn = next((number for number, token in known.items() if str(token) == text), None)
    wanted = (turn, end, *stops, vocabulary.tokenizer.eos_token_id)
    union = list(dict.fromkeys(int(one) for one in wanted if one is not None))
    if union and set(union) != set(stops):
        generation.eos_token_id = union
    return end


def note_ends(model: Any, folder: Path) -> None:
    """Have an adapter's folder say where generation stops; PEFT itself does not read it."""
    generation: Any = getattr(model, "generation_config", None)
    if stops_of(generation):
        text = generation.to_json_string()
        (folder / "generation_config.json").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Tuned:
    """A model with something in it that learns."""

    model: Any  # what is trained: PEFT's model for LoRA and prompt tuning, else the model itself
    base: Any  # the transformers model; LoRA's matrices are inside it
    vocabulary: Vocabulary  # its tokenizer
    config: FinetuneConfig  # the method
    context: int  # positions that the model can read, less the soft prompt's
    trained: dict[str, nn.Parameter]  # what learns, by name
    end: int | None = None  # the token that is taught to end an answer; None: the tokenizer's own
    goes_on: bool = False  # whether an adapter's values are in what learns at step 0

    @property
    def trainable(self) -> int:
        """Numbers that learn."""
        return sum(p.numel() for p in self.trained.values())

    @property
    def total(self) -> int:
        """All numbers, each once."""
        return sum(p.numel() for p in self.model.parameters())

    def soft_prompt(self) -> Tensor | None:
        """[length, H] in the base's number format, or None where there is none."""
        if not self.config.soft:
            return None
        prompt: Tensor = self.model.get_prompt(batch_size=1)[0]
        table: Tensor = self.base.get_input_embeddings().weight
        return prompt.detach().to(table.dtype)


def shape_of(model: Any, name: str) -> ModelShape:
    """A transformers model's parameters by name and size; its weights may be on no device."""
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    tied = head is not None and head.weight is embeddings.weight
    config = model.config.get_text_config()
    found = [
        _parameter(name, module, path, p, head, tied)
        for name, module in model.named_modules()
        for path, p in module.named_parameters(recurse=False)
    ]
    unique = {id(p): one for one, p in reversed(found)}
    parameters = tuple(reversed(unique.values()))
    linear = tuple(dict.fromkeys(p.leaf for p in parameters if p.linear and p.group != "head"))
    usual = tuple(n for n in USUAL.get(config.model_type, ()) if n in linear)
    return ModelShape(
        name=name,
        kind=str(config.model_type),
        hidden=int(embeddings.weight.shape[1]),
        vocabulary=int(embeddings.weight.shape[0]),
        context=context_of(model),
        parameters=parameters,
        auto_targets=usual or linear,
        tied=tied,
    )


def _parameter(
    module_name: str, module: Any, path: str, p: Any, head: Any, tied: bool
) -> tuple[Parameter, Any]:
    matrix = path == "weight" and isinstance(module, nn.Linear | Conv1D)
    sides = tuple(p.shape)[::-1] if matrix and isinstance(module, Conv1D) else tuple(p.shape)
    group = "norms" if "norm" in type(module).__name__.lower() else ""
    if module is head or (tied and p is head.weight):
        group = "head"
    elif isinstance(module, nn.Embedding):
        group = "embeddings"
    name = ".".join(filter(None, (module_name, path)))
    return Parameter(name, sides, matrix and group != "head", group), p


def prepare(model: Any, vocabulary: Vocabulary, name: str, config: FinetuneConfig) -> Tuned:
    """Make a model ready. It is changed: hand over a copy that nobody else uses. Raises InputError:
    the method does not fit the model; says why.
    """
    check_form(vocabulary, config.form)
    shape = shape_of(model, name)
    context, trained = shape.context, model
    end = settle(model, vocabulary, config.form)
    model.requires_grad_(False)
    with seeded(config.seed):
        if config.method == "lora":
            trained = get_peft_model(model, _lora(shape, model, config))
        elif config.method == "prompt":
            context -= config.length
            if context < 2:
                raise InputError(
                    f"A soft prompt of {config.length:,} tokens leaves no room in a context of "
                    f"{shape.context:,}.",
                    "Make it shorter.",
                )
            trained = _with_soft_prompt(model, vocabulary, config)
        else:
            chosen = shape.parameters if config.method == "full" else selected(shape, config.parts)
            named = dict(model.named_parameters())
            for one in chosen:
                named[one.name].requires_grad_(True)
    model.config.use_cache = False
    learning = {n: p for n, p in trained.named_parameters() if p.requires_grad}
    for p in learning.values():
        p.data = p.data.float()  # in bfloat16 AdamW's small steps would be rounded away
    return Tuned(trained, model, vocabulary, config, context, learning, end)


def _lora(shape: ModelShape, model: Any, config: FinetuneConfig) -> LoraConfig:
    targets = lora_targets(shape, config)
    wanted = {p.module for p in targets}
    conv = any(isinstance(model.get_submodule(name), Conv1D) for name in wanted)
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=config.rank,
        # Whole where it can be, as PEFT writes it.
        lora_alpha=int(config.alpha) if config.alpha.is_integer() else config.alpha,  # type: ignore[arg-type]
        lora_dropout=config.dropout,
        target_modules=_short_names(shape, targets, wanted),
        fan_in_fan_out=conv,
        init_lora_weights=config.start == "zero",
        use_rslora=config.rslora,
        use_dora=config.dora,
    )


def _short_names(shape: ModelShape, targets: Sequence[Parameter], wanted: set[str]) -> list[str]:
    """Names such as ``q_proj`` where they mean nothing else, else whole paths."""
    leaves = sorted({p.leaf for p in targets})
    meant = {p.module for p in shape.parameters if p.leaf in leaves and p.name.endswith("weight")}
    return leaves if meant == wanted else sorted(wanted)


def _with_soft_prompt(model: Any, vocabulary: Vocabulary, config: FinetuneConfig) -> Any:
    """Starts from the embeddings of a text, repeated to length, or of random tokens."""
    table: Tensor = model.get_input_embeddings().weight
    prompt = PromptTuningConfig(
        task_type=TaskType.CAUSAL_LM,
        num_virtual_tokens=config.length,
        token_dim=table.shape[1],
    )
    tuned = get_peft_model(model, prompt)
    if config.start_text:
        ids = list(vocabulary.checked(vocabulary.ids(config.start_text)))
        ids = (ids * (config.length // len(ids) + 1))[: config.length]
        chosen = torch.tensor(ids)
    else:
        chosen = torch.randint(len(table), (config.length,))
    with torch.no_grad():
        encoder: Any = tuned.prompt_encoder
        encoder["default"].embedding.weight.copy_(table[chosen.to(table.device)].float())
    return tuned


def save(tuned: Tuned, base: str, folder: Path, *, tokenizer: bool = True) -> None:
    """Write what was learned into a new folder, in the format of PEFT or transformers.

    Args:
        base: what the adapter says that it was made for: a folder's whole path, or a Hub id,
            perhaps with a revision after an @.
        folder: must not exist.
        tokenizer: whether an adapter's folder holds the tokenizer as well.
    """
    if not tuned.config.is_adapter:
        tuned.base.config.use_cache = True
        tuned.base.save_pretrained(folder)
        tuned.base.config.use_cache = False
        tuned.vocabulary.tokenizer.save_pretrained(folder)
        note_form(folder, tuned.config.form)
        return
    tuned.model.save_pretrained(folder)
    note_form(folder, tuned.config.form)
    note_ends(tuned.base, folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    name, _, revision = (base, "", "") if Path(base).is_absolute() else base.partition("@")
    config |= {"base_model_name_or_path": name, "tokenizer_name_or_path": None}
    if revision:
        config["revision"] = revision
    if "num_virtual_tokens" not in config:
        config.pop("tokenizer_name_or_path")
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    rows = len(tuned.base.get_input_embeddings().weight)
    # PEFT would make a base longer whose tokenizer has more tokens than it.
    if tokenizer and len(tuned.vocabulary.tokenizer) <= rows:
        tuned.vocabulary.tokenizer.save_pretrained(folder)
