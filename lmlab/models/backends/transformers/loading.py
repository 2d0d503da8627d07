"""From a folder in the Hugging Face format to a language model that can be asked.

Safetensors only, and never code that comes with a model.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from lmlab.errors import LabError, MemoryLimitError, ModelError
from lmlab.models.backends.transformers.model import Weights
from lmlab.models.backends.transformers.proofs import Proof, stamps_of
from lmlab.models.backends.transformers.textpart import KEYS, text_part, tied
from lmlab.models.devices import device_of, dtype_of, width_of
from lmlab.models.folders import numbers_in
from lmlab.models.forms import learned_form
from lmlab.models.tokenizers import fitted, read_vocabulary
from lmlab.settings import Settings

# While it reads weights, transformers changes how torch makes tensors, for all threads at once.
ONE_AT_A_TIME = threading.Lock()
TEXT_ALONE = "It reads more than text; its text part alone is loaded."
CHOOSE = "Choose one that continues text, such as GPT-2, Llama, Qwen or Pythia."
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class Folder:
    """A model folder that was looked at and may be loaded."""

    path: Path
    name: str  # as shown to people
    weight_files: tuple[Path, ...]  # in the safetensors format
    text: Any = None  # config of its text part, where the model reads more than text; else None

    def load(self, settings: Settings) -> Weights:
        """See ``load``."""
        return load(self, settings)

    def memory(self, settings: Settings) -> int:
        """Bytes that the weights will take in memory."""
        return width_of(settings) * numbers_in(self.weight_files)


def load(folder: Folder, settings: Settings) -> Weights:
    """Read tokenizer and weights of a folder.

    Raises:
        ModelError: something in the folder cannot be used.
        MemoryLimitError: the machine ran out of memory on the way.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    before = stamps_of(folder.path)
    vocabulary = read_vocabulary(folder.path, folder.name)
    device = device_of(settings)
    try:
        with ONE_AT_A_TIME:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder.path,
                **_text_alone(folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=dtype_of(settings),
                output_loading_info=True,
            )
        model, report = loaded
        model = model.to(device).eval().requires_grad_(False)
    except LabError:
        raise
    except Exception as error:
        raise reading_error(error, folder.name) from error
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise ModelError(f"The weights of ‘{folder.name}’ are incomplete: {missing} is missing.")
    vocabulary = fitted(vocabulary, model, folder.name)
    if folder.text is not None:
        vocabulary = replace(vocabulary, notes=(*vocabulary.notes, TEXT_ALONE))
    proof = Proof(model, folder.path, before, settings)
    weights = Weights(folder.name, model, vocabulary, learned_form(folder.path), proof)
    _check_causal(weights)
    return weights


def _check_causal(weights: Weights) -> None:
    """Run a few tokens: a model that cannot be run, or looks ahead, is refused."""
    try:
        causal = weights.lm(weights.name).ways.causal
    except LabError:
        raise
    except Exception as error:
        raise _running_error(error, weights.name) from error
    if not causal:
        raise ModelError(
            f"‘{weights.name}’ is not a causal language model: what comes later in a text changes "
            "what it says of what came before.",
            CHOOSE,
        )


def _running_error(error: Exception, name: str) -> LabError:
    """What went wrong while a model that was read ran on a few tokens."""
    found = reading_error(error, name)
    if isinstance(found, MemoryLimitError):
        return found
    return ModelError(
        found.message.replace("cannot be read", "is read, but does not run", 1),
        "Its config.json may not belong to its weights.",
    )


def inspect(path: Path, name: str) -> Folder:
    """Look at a folder without reading its weights; refuse what cannot or must not be loaded."""
    raw = _read_json(path / "config.json", name)
    kind = raw.get("model_type")
    if raw.get("auto_map") and kind not in CONFIG_MAPPING:
        raise ModelError(
            f"‘{name}’ needs code that comes with the model; lmlab never runs such code.",
            "Choose a model whose architecture is part of transformers.",
        )
    config = config_of(path, name)
    names = raw.get("architectures") or []
    if (part := text_part(config, names, name)) is not None:
        files = _weight_files(path, name)
        return Folder(path, name, files, tied(part, config, _tensor_names(files)))
    check_generative(config, names, name, ", ".join(names) or str(kind))
    return Folder(path, name, _weight_files(path, name))


def config_of(path: Path, name: str) -> Any:
    """A folder's config as transformers reads it.

    Raises:
        LabError: it is damaged.
    """
    try:
        return AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise reading_error(error, name) from error


def check_generative(config: Any, names: Sequence[str], name: str, kind: str) -> None:
    """Refuse a config of a model that does not continue text; ``names`` are of its classes."""
    generative = not names or any(n.endswith(("CausalLM", "LMHeadModel")) for n in names)
    known = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    if config.is_encoder_decoder or not known or not generative:
        raise ModelError(f"‘{name}’ ({kind}) is not a causal language model.", CHOOSE)


def outline(folder: Folder) -> Any:
    """A folder's model without its weights: modules and sizes alone, which take no memory."""
    config = folder.text or config_of(folder.path, folder.name)
    try:
        with ONE_AT_A_TIME, torch.device("meta"):
            made: Any = AutoModelForCausalLM.from_config
            # Torch's own default: another would be every thread's default meanwhile.
            return made(config, dtype=torch.get_default_dtype(), trust_remote_code=False)
    except Exception as error:
        raise reading_error(error, folder.name) from error


def reading_error(error: Exception, name: str) -> LabError:
    """What went wrong while reading a model, as a sentence."""
    text = str(error)
    out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if out_of_memory or (isinstance(error, RuntimeError) and "memory" in text):
        return MemoryLimitError(
            f"There is not enough memory for ‘{name}’.", "Choose a smaller model."
        )
    if "ignore_mismatched_sizes" in text:
        return ModelError(
            f"The weights of ‘{name}’ have other shapes than its config.json says.",
            "Fetch config.json and the weights again, from one place.",
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    said = " ".join(lines[: 1 + lines[0].endswith(":")])[:200]
    if isinstance(error, KeyError):
        said = f"its config.json names {said}, which is not known here."
    return ModelError(
        f"‘{name}’ cannot be read: {said}",
        "Its config.json or its weights may be damaged; fetch them again.",
    )


def _weight_files(path: Path, name: str) -> tuple[Path, ...]:
    """The safetensors files of a folder, each with a header that can be read."""
    single, index = path / "model.safetensors", path / "model.safetensors.index.json"
    if single.is_file():
        files = [single]
    elif index.is_file():
        shards = set(_read_json(index, name).get("weight_map", {}).values())
        if any(Path(str(shard)).name != shard for shard in shards):
            raise ModelError(f"‘{name}’ names weight files outside its folder; it is refused.")
        files = [path / shard for shard in sorted(shards)]
    else:
        files = []
    if not files:
        _refuse_without_safetensors(path, name)
    for file in files:
        _check_safetensors(file, name)
    return tuple(files)


def _refuse_without_safetensors(path: Path, name: str) -> None:
    if any(next(path.glob(pattern), None) for pattern in PICKLES):
        raise ModelError(
            f"‘{name}’ holds its weights as pickles, which can run code; it is refused.",
            "Convert it to safetensors: model.save_pretrained(folder).",
        )
    raise ModelError(f"‘{name}’ has no weights (model.safetensors).")


def _check_safetensors(file: Path, name: str) -> None:
    try:
        with safe_open(file, framework="pt") as opened:
            opened.keys()
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"The file {file.name} of ‘{name}’ is damaged or cut short.", "Fetch it again."
        ) from error


def _tensor_names(files: Sequence[Path]) -> list[str]:
    found: list[str] = []
    for file in files:
        with safe_open(file, framework="pt") as opened:
            found += opened.keys()
    return found


def _text_alone(folder: Folder) -> dict[str, Any]:
    """What has the text part alone read, where a model is more than that."""
    return {"config": folder.text, "key_mapping": dict(KEYS)} if folder.text is not None else {}


def _read_json(file: Path, name: str) -> dict[str, Any]:
    """A JSON object from a model's folder."""
    if not file.is_file():
        raise ModelError(
            f"‘{name}’ is not a model folder: it has no {file.name}.", "Choose the folder itself."
        )
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        raise ModelError(f"The file {file.name} of ‘{name}’ is damaged.") from None
    if not isinstance(value, dict):
        raise ModelError(f"The file {file.name} of ‘{name}’ is damaged.")
    return value
