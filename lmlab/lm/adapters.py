"""PEFT adapters on one copy of a base's weights: attached once, then switched on and off."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import PeftConfig, PeftModel, PeftType
from peft.tuners.lora import LoraLayer
from peft.utils import load_peft_weights
from torch import Tensor

from lmlab.errors import ModelError

WEIGHTS = "adapter_model.safetensors"
# What makes a LoRA adapter more than W + α·s·V·U, by the names in its config.
BEYOND_LORA = (
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "modules_to_save",
    "trainable_token_indices",
    "target_parameters",
    "lora_bias",
    "alora_invocation_tokens",
    "layer_replication",
    "arrow_config",
    "monteclora_config",
    "velora_config",
)


@dataclass(frozen=True, slots=True)
class Attached:
    """What is switched on.

    Attributes:
        name: PEFT's name of the adapter; None for none and for a soft prompt.
        alpha: factor of its scale, the lecture's α.
        plain: nothing but W + α·s·V·U on linear layers, so that rows of a batch may differ in it.
        soft_prompt: [length, H], or None.
    """

    name: str | None = None
    alpha: float = 1.0
    plain: bool = True
    soft_prompt: Tensor | None = None


class Adapters:
    """The adapters of one model. Not safe for threads: hold the weights' lock.

    Adapters that change matrices (LoRA and its kin) are injected by PEFT; a soft prompt (prompt
    tuning) is kept as a tensor [length, H] that is put before the embedded text.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._peft: Any = None
        self._soft: dict[Path, Tensor] = {}
        self._names: dict[Path, str] = {}
        self._made = 0
        self._scales: dict[tuple[int, str], float] = {}
        self._active: tuple[Path | None, float, Attached] | None = None

    def __contains__(self, folder: Path | None) -> bool:
        """Whether an adapter is attached; no adapter always is."""
        return folder is None or folder in self._names or folder in self._soft

    @property
    def soft_bytes(self) -> int:
        """Bytes of the soft prompts, which are not among the model's own parameters."""
        return sum(t.numel() * t.element_size() for t in self._soft.values())

    def activate(self, folder: Path | None, alpha: float = 1.0) -> Attached:
        """Switch on one adapter, attaching it first if need be, or none.

        Args:
            folder: of the adapter; None for the base alone.
            alpha: factor of a LoRA adapter's scale; stored weights are never touched.

        Raises:
            ModelError: the folder holds no adapter that fits this model, or α is not 1 and the
                adapter has no scale.
        """
        if self._active is not None and self._active[:2] == (folder, alpha):
            return self._active[2]
        if folder is not None and folder not in self:
            self._attach(folder, _checked_config(folder))
        self._active = None
        attached = self._switch(folder, alpha)
        self._active = (folder, alpha, attached)
        return attached

    def detach(self, folder: Path) -> None:
        """Let go of an adapter's own matrices or soft prompt; does nothing where it is not here."""
        self._soft.pop(folder, None)
        name = self._names.pop(folder, None)
        if self._active is not None and self._active[0] == folder:
            self._active = None
        if name is None:
            return
        self._peft.delete_adapter(name)
        self._scales = {key: scale for key, scale in self._scales.items() if key[1] != name}
        self._active = None

    @property
    def peft(self) -> Any:
        """PEFT's model over the base; None before an adapter is attached."""
        return self._peft

    def layers(self) -> list[Any]:
        """The model's layers that hold LoRA matrices of some adapter."""
        return [module for module in self._model.modules() if isinstance(module, LoraLayer)]

    def trained_scale(self, layer: Any, name: str) -> float:
        """The scale s of an adapter in a layer, whatever α is on."""
        return self._scales.setdefault((id(layer), name), float(layer.scaling[name]))

    def _switch(self, folder: Path | None, alpha: float) -> Attached:
        if folder is None:
            self._enable(None)
            return Attached()
        if alpha != 1 and not self._scalable(folder):
            raise ModelError(
                f"The adapter ‘{folder.name}’ has no scale that could be turned.",
                "α works for LoRA adapters that add to the weights and change nothing else.",
            )
        if folder in self._soft:
            self._enable(None)
            return Attached(plain=False, soft_prompt=self._soft[folder])
        name = self._names[folder]
        self._enable(name)
        self._scale(name, alpha)
        return Attached(name, alpha, plain=self._scalable(folder) and self._on_linear(name))

    def _enable(self, name: str | None) -> None:
        if self._peft is None:
            return
        if name is None:
            self._peft.base_model.disable_adapter_layers()
        else:
            self._peft.base_model.enable_adapter_layers()
            self._peft.set_adapter(name)

    def _scalable(self, folder: Path) -> bool:
        """Whether an adapter is W + α·s·V·U and nothing else."""
        if folder in self._soft:
            return False
        config = self._peft.peft_config[self._names[folder]]
        lora = config.peft_type == PeftType.LORA
        return lora and not any(getattr(config, name, None) for name in BEYOND_LORA)

    def _scale(self, name: str, alpha: float) -> None:
        """Set the scale of each layer to its trained value times α."""
        for layer in self.layers():
            if name in layer.scaling:
                layer.scaling[name] = self.trained_scale(layer, name) * alpha

    def _on_linear(self, name: str) -> bool:
        """Whether all of an adapter's matrices stand beside linear maps."""
        mine = [layer for layer in self.layers() if name in layer.scaling]
        return (
            bool(mine)
            and all(name in layer.lora_A for layer in mine)
            and all(type(layer.get_base_layer()).__name__ in ("Linear", "Conv1D") for layer in mine)
        )

    def _attach(self, folder: Path, config: Any) -> None:
        if config.peft_type == PeftType.PROMPT_TUNING:
            self._soft[folder] = self._soft_prompt(folder)
            return
        self._made += 1
        name = f"adapter{self._made}"
        try:
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(self._model, folder, adapter_name=name)
            else:
                self._peft.load_adapter(folder, adapter_name=name)
        except Exception as error:
            raise _misfit(folder) from error
        self._names[folder] = name
        self._peft.eval().requires_grad_(False)

    def _soft_prompt(self, folder: Path) -> Tensor:
        embedding = self._model.get_input_embeddings().weight
        prompt = load_peft_weights(str(folder), device="cpu").get("prompt_embeddings")
        if prompt is None or prompt.ndim != 2 or prompt.shape[1] != embedding.shape[1]:
            raise _misfit(folder)
        result: Tensor = prompt.to(embedding.device, embedding.dtype)
        return result


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
        config = PeftConfig.from_pretrained(str(folder))
    except Exception as error:
        raise ModelError(f"The adapter_config.json of ‘{folder.name}’ is damaged.") from error
    if config.is_prompt_learning and config.peft_type != PeftType.PROMPT_TUNING:
        raise ModelError(f"Adapters of the kind {config.peft_type.value} are not supported.")
    if raw.get("bias", "none") != "none":
        raise ModelError(f"The adapter ‘{folder.name}’ changes the base's biases as well.")
    return config


def _misfit(folder: Path) -> ModelError:
    return ModelError(
        f"The adapter ‘{folder.name}’ does not fit this model.",
        "Its adapter_config.json names the base it was made for.",
    )
