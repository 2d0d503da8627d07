"""PEFT adapters on one copy of a base's weights: attached once, then switched on and off."""

import json
from pathlib import Path
from typing import Any

from peft import PeftConfig, PeftModel, PeftType
from peft.utils import load_peft_weights
from torch import Tensor

from lmlab.errors import ModelError

WEIGHTS = "adapter_model.safetensors"


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

    @property
    def soft_bytes(self) -> int:
        """Bytes of the soft prompts, which are not among the model's own parameters."""
        return sum(t.numel() * t.element_size() for t in self._soft.values())

    def activate(self, folder: Path | None) -> Tensor | None:
        """Switch on one adapter, attaching it first if need be, or none; its soft prompt, if any.

        Raises:
            ModelError: the folder holds no adapter that fits this model.
        """
        if folder is None or folder in self._soft:
            self._enable(None)
            return None if folder is None else self._soft[folder]
        if folder not in self._names:
            self._attach(folder, _checked_config(folder))
        if folder in self._soft:
            self._enable(None)
            return self._soft[folder]
        self._enable(self._names[folder])
        return None

    def _enable(self, name: str | None) -> None:
        if self._peft is None:
            return
        if name is None:
            self._peft.base_model.disable_adapter_layers()
        else:
            self._peft.base_model.enable_adapter_layers()
            self._peft.set_adapter(name)

    def _attach(self, folder: Path, config: Any) -> None:
        if config.peft_type == PeftType.PROMPT_TUNING:
            self._soft[folder] = self._soft_prompt(folder)
            return
        name = f"adapter{len(self._names)}"
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
