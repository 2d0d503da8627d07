"""A model's config and count without its weights: of the Hub, config.json alone is fetched.

Numbers alone are read; code that comes with a model never runs.
"""

import re
from pathlib import Path
from typing import Any

from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from lmlab.errors import ModelError
from lmlab.models.loading import Folder, outline, reading_error
from lmlab.models.store import RUN, ModelRef, ModelStore

# Building an outline takes time with every layer; no model that is used comes near these.
MOST_LAYERS = 1000
MOST_EXPERTS = 1024
_PLAIN_HUB = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")


def config_folder(ref: ModelRef, store: ModelStore) -> Path:
    """A folder with the config of a model; of the Hub, that file alone is fetched.

    Raises:
        ModelError: unknown, refused or out of reach.
    """
    here = ref.name in store.embedded() or ref.name.startswith(RUN)
    local = store.settings.allow_local and Path(ref.name).expanduser().is_dir()
    fits = _PLAIN_HUB.fullmatch(ref.name) and ".." not in ref.name
    if here or local or not fits or not store.settings.allow_hub or store.settings.offline:
        return store.resolve(ref, lambda message: None)
    return _fetched(ref)


def read_config(folder: Path, name: str) -> Any:
    """The config of a folder, as transformers reads it.

    Raises:
        ModelError: none, damaged, of no language model, or larger than any that is used.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"‘{name}’ is not a model folder: it has no config.json.")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise reading_error(error, name) from error
    if config.is_encoder_decoder or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelError(
            f"‘{name}’ ({config.model_type}) is not a causal language model.",
            "Choose one that continues text, such as GPT-2, Llama, Qwen or Pythia.",
        )
    _check_size(config, name)
    return config


def counted(folder: Path, name: str) -> int:
    """The parameters of a folder's model, those that are tied once; ``read_config`` comes first.

    Raises:
        ModelError: it cannot be built.
    """
    return int(outline(Folder(folder, name, ())).num_parameters())


def number(config: Any, name: str) -> int | None:
    """One of a config's numbers under transformers' common name; None where it has none."""
    value = getattr(config, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _check_size(config: Any, name: str) -> None:
    for key, most in (
        ("num_hidden_layers", MOST_LAYERS),
        ("num_experts", MOST_EXPERTS),
        ("num_local_experts", MOST_EXPERTS),
        ("n_routed_experts", MOST_EXPERTS),
    ):
        value = getattr(config, key, None)
        if isinstance(value, int) and value > most:
            raise ModelError(f"The config of ‘{name}’ says {value:,} for {key}; that is refused.")


def _fetched(ref: ModelRef) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        return Path(hf_hub_download(ref.name, "config.json", revision=ref.revision)).parent
    except GatedRepoError:
        raise ModelError(
            f"‘{ref.name}’ is gated on the Hub.", "Accept its terms there and set HF_TOKEN."
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(f"There is no model named ‘{ref.name}’, here or on the Hub.") from None
    except Exception as error:
        raise ModelError(
            f"The config of ‘{ref.name}’ cannot be fetched.", "Is there a network?"
        ) from error
