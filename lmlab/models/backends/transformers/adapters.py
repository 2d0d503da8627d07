"""PEFT adapters on one copy of a base's weights: attached once, then switched on and off."""

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftType
from safetensors.torch import load_file
from torch import Tensor

from lmlab.errors import MemoryLimitError, ModelError
from lmlab.models.backends.transformers.adapterkeys import MisfitError, fitted
from lmlab.models.backends.transformers.grafts import NAME, Graft, filled, graft, numbers

WEIGHTS = "adapter_model.safetensors"
# What makes a LoRA adapter more than W + α·s·V·U, by the names in its config.
BEYOND_LORA = (
    "use_dora", "use_qalora", "use_bdlora", "modules_to_save", "trainable_token_indices",
    "target_parameters", "lora_bias", "alora_invocation_tokens", "layer_replication",
    "arrow_config", "monteclora_config", "velora_config",
)  # fmt: skip
SOFT = (PeftType.PROMPT_TUNING, PeftType.P_TUNING)


@dataclass(frozen=True, slots=True)
class Attached:
    """What is switched on."""

    name: str | None = None  # PEFT's name of the adapter; None for none and for a soft prompt
    alpha: float = 1.0  # factor of its scale, the lecture's α
    # nothing but W + α·s·V·U on linear layers, so that rows of a batch may differ in it
    plain: bool = True
    soft_prompt: Tensor | None = None  # [length, H], or None


@dataclass(frozen=True)
class Product:
    """What a plain LoRA adapter adds to one linear map: α·s·V·U."""

    base: Any  # the map, as the untouched model has it
    u: Tensor  # [ℓ, in], PEFT's A
    v: Tensor  # [out, ℓ], PEFT's B
    scale: float  # s


class Adapters:
    """The adapters of one model. Not safe for threads: hold the weights' lock.

    Adapters that change matrices (LoRA and its kin) are put into the model and taken out again,
    one at a time; a soft prompt (prompt tuning) is kept as a tensor [length, H] that is put before
    the embedded text.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._soft: dict[Path, Tensor] = {}
        self._grafts: dict[Path, Graft] = {}
        self._inside: Graft | None = None
        self._active: tuple[Path | None, float, Attached] | None = None
        # Whether rows of a batch with an adapter were seen to equal the adapter by itself.
        self.stacks: dict[Path, bool] = {}

    def __contains__(self, folder: Path | None) -> bool:
        """Whether an adapter is attached; no adapter always is."""
        return folder is None or folder in self._grafts or folder in self._soft

    @property
    def n_bytes(self) -> int:
        """Bytes of soft prompts and adapters that are not among the model's own tensors now."""
        soft = sum(t.numel() * t.element_size() for t in self._soft.values())
        out = (made for made in self._grafts.values() if made is not self._inside)
        return soft + sum(made.n_bytes for made in out)

    def activate(self, folder: Path | None, alpha: float = 1.0) -> Attached:
        """Switch on one adapter, attaching it first if need be, or none. α is a factor of a LoRA
        adapter's scale; stored weights are never touched.

        Raises:
            ModelError: the folder holds no adapter that fits this model, or α is not 1 and the
                adapter has no scale.
            MemoryLimitError: there is no room for its matrices.
        """
        if self._active is not None and self._active[:2] == (folder, alpha):
            return self._active[2]
        if folder is not None and folder not in self:
            self._attach(folder)
        self._active = None
        attached = self._switch(folder, alpha)
        self._active = (folder, alpha, attached)
        return attached

    def count(self, folder: Path) -> int:
        """The numbers that an adapter adds; the model may be an outline, which is of no use
        afterwards.

        Raises:
            ModelError: the folder holds no adapter that fits this model.
        """
        with _read(folder) as (config, tensors):
            if config.peft_type in SOFT:
                return self._soft_prompt(tensors, config).numel()
            try:
                return numbers(filled(self._model, config, tensors))
            except NotImplementedError:  # where some kinds look at weights, an outline has none
                return sum(tensor.numel() for tensor in tensors.values())

    def detach(self, folder: Path) -> None:
        """Let go of an adapter's own matrices or soft prompt; does nothing where it is not here."""
        self._soft.pop(folder, None)
        self.stacks.pop(folder, None)
        if self._active is not None and self._active[0] == folder:
            self._active = None
        if (gone := self._grafts.pop(folder, None)) is not None and gone is self._inside:
            self._put_in(None)

    @property
    def peft(self) -> Any:
        """PEFT's model of the adapter that is in the base now; None where none is."""
        return self._inside.peft if self._inside else None

    def products(self, folder: Path | None) -> list[Product]:
        """What a plain LoRA adapter adds, map by map; nothing for any other and for none."""
        found = self._grafts.get(folder) if folder is not None else None
        if found is None or not _is_plain(found):
            return []
        return [
            Product(
                layer.get_base_layer(), layer.lora_A[NAME].weight, layer.lora_B[NAME].weight, scale
            )
            for layer, scale in found.layers
        ]

    def _switch(self, folder: Path | None, alpha: float) -> Attached:
        made = self._grafts.get(folder) if folder is not None else None
        if alpha != 1 and folder is not None and not (made and _is_scalable(made)):
            raise ModelError(
                f"The adapter ‘{folder.name}’ has no scale that could be turned.",
                "α works for LoRA adapters that add to the weights and change nothing else.",
            )
        self._put_in(made)
        if made is not None:
            made.scale(alpha)
            return Attached(NAME, alpha, plain=_is_plain(made))
        if folder is None:
            return Attached()
        return Attached(plain=False, soft_prompt=self._soft[folder])

    def _put_in(self, made: Graft | None) -> None:
        if made is self._inside:
            return
        if self._inside is not None:
            self._inside.take_out()
        self._inside = made
        if made is not None:
            made.put_in()

    def _attach(self, folder: Path) -> None:
        self._active = None
        self._put_in(None)
        with _read(folder) as (config, tensors):
            if config.peft_type in SOFT:
                self._soft[folder] = self._soft_prompt(tensors, config)
            else:
                self._grafts[folder] = self._inside = graft(self._model, config, tensors)

    def _soft_prompt(self, tensors: Mapping[str, Tensor], config: Any) -> Tensor:
        table = self._model.get_input_embeddings().weight
        length = int(config.num_virtual_tokens) * int(config.num_transformer_submodules or 1)
        expected = table.new_empty(length, table.shape[1], device="meta")
        fitting = fitted(tensors, {"prompt_embeddings": expected}, {})
        prompt: Tensor = fitting["prompt_embeddings"].to(table.device, table.dtype)
        return prompt


@contextmanager
def _read(folder: Path) -> Iterator[tuple[Any, dict[str, Tensor]]]:
    """An adapter's config and tensors; what goes wrong with them becomes a sentence."""
    # What PEFT would say on standard error is said by what is raised here, or of no use.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = _checked_config(folder)
        try:
            tensors = load_file(folder / WEIGHTS)
            _check_ranks(tensors, config)
            yield config, tensors
        except MisfitError as error:
            raise _misfit(folder, config, error.reason) from error
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise MemoryLimitError(
                f"There is not enough memory for the adapter ‘{folder.name}’.",
                "Choose a smaller model.",
            ) from error
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise _misfit(folder, config, lines[0][:200]) from error


def _is_scalable(made: Graft) -> bool:
    """Whether an adapter is W + α·s·V·U and nothing else, if perhaps on embeddings too."""
    config = made.config
    lora = config.peft_type == PeftType.LORA
    return lora and not any(getattr(config, name, None) for name in BEYOND_LORA)


def _is_plain(made: Graft) -> bool:
    """Whether an adapter is W + α·s·V·U, and all its matrices stand beside linear maps."""
    return (
        _is_scalable(made)
        and bool(made.layers)
        and all(NAME in layer.lora_A for layer, _ in made.layers)
        and all(
            type(layer.get_base_layer()).__name__ in ("Linear", "Conv1D")
            for layer, _ in made.layers
        )
    )


def _checked_config(folder: Path) -> Any:
    """The adapter's config; refuses pickles and kinds that cannot share the base's weights."""
    if not (folder / "adapter_config.json").is_file():
        raise ModelError(f"‘{folder.name}’ is not an adapter: it has no adapter_config.json.")
    if not (folder / WEIGHTS).is_file():
        raise ModelError(
            f"The adapter ‘{folder.name}’ has no {WEIGHTS}; pickles can run code and are refused."
        )
    try:
        raw = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        kind = str(raw.get("peft_type"))
        if kind in PeftType.__members__:
            config = PeftConfig.from_pretrained(str(folder))
    except Exception as error:
        raise ModelError(f"The adapter_config.json of ‘{folder.name}’ is damaged.") from error
    _check_kind(folder, kind, raw)
    return config


def _check_kind(folder: Path, kind: str, raw: Mapping[str, Any]) -> None:
    known = PeftType.__members__.get(kind)
    # X-LoRA reads other adapters, from wherever its config says.
    refused = known is None or known in (PeftType.XLORA, PeftType.POLY)
    prompt = "num_virtual_tokens" in raw and known not in SOFT
    if refused or prompt:
        raise ModelError(f"Adapters of the kind {kind[:40]} are not supported.")
    if raw.get("bias", "none") != "none":
        raise ModelError(f"The adapter ‘{folder.name}’ changes the base's biases as well.")
    if raw.get("layer_replication"):
        raise ModelError(f"The adapter ‘{folder.name}’ adds layers to the base.")
    if raw.get("alora_invocation_tokens"):
        raise ModelError(f"The adapter ‘{folder.name}’ is on from certain tokens of a text alone.")
    if raw.get("megatron_config"):
        raise ModelError(f"The adapter ‘{folder.name}’ needs code that is not part of PEFT.")


def _check_ranks(tensors: Mapping[str, Tensor], config: Any) -> None:
    """A damaged config may ask for matrices that no memory holds; the file's own are known."""
    if config.peft_type not in (PeftType.LORA, PeftType.ADALORA):
        return
    most = max((side for tensor in tensors.values() for side in tensor.shape), default=0)
    asked = (config.r, getattr(config, "init_r", 0), *(config.rank_pattern or {}).values())
    ranks = [rank for rank in asked if isinstance(rank, int) and rank > most]
    if ranks and tensors:
        raise MisfitError(f"its rank is {ranks[0]}, and no side of its matrices is so long")


def _misfit(folder: Path, config: Any, reason: str) -> ModelError:
    made_for = str(config.base_model_name_or_path or "")[:200]
    return ModelError(
        f"The adapter ‘{folder.name}’ does not fit this model: {reason.rstrip('.')}.",
        f"Its adapter_config.json says that it was made for ‘{made_for}’."
        if made_for
        else "Its adapter_config.json does not say which base it was made for.",
    )
