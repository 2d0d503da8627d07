"""A model's config, count and tokenizer without its weights, which are not fetched of the Hub.

Numbers alone are read; code that comes with a model never runs.
"""

from pathlib import Path
from typing import Any

from lmlab.errors import MemoryLimitError, ModelError
from lmlab.models.backends.transformers.adapters import Adapters
from lmlab.models.backends.transformers.loading import Folder, check_generative, config_of, outline
from lmlab.models.hub import Repo, fetch, gated_hint, token_of
from lmlab.models.refs import ModelRef
from lmlab.models.store import FolderStore, Progress
from lmlab.models.tokenizers import FILE
from lmlab.models.wanted import Part

# Building an outline takes time with every layer; no model that is used comes near these.
MOST_LAYERS = 1000
MOST_EXPERTS = 1024
MOST_BYTES = 1_000_000  # of a config
MOST_TOKENIZER = 100_000_000  # bytes of a tokenizer with its config


def config_folder(ref: ModelRef, store: FolderStore) -> Path:
    """A folder with the config of a model; of the Hub, that file alone is fetched.

    Raises:
        ModelError: unknown, refused or out of reach.
    """
    if not store.may_be_fetched(ref):  # the store knows what to say of each
        return store.resolve(ref, lambda message: None)
    return _fetched(ref, token_of(store.settings))


def tokenizer_folder(ref: ModelRef, store: FolderStore, on_progress: Progress) -> Path:
    """A folder with the tokenizer and the config of a model; of the Hub, those files alone are
    fetched.

    Raises:
        LabError: unknown, refused, out of reach, without such files, or with a very large one.
    """
    if not store.may_be_fetched(ref):
        return store.resolve(ref, on_progress)
    part = Part(ref.name, ref.revision, (FILE, "config.json"))
    return fetch(part, store.settings, _check_tokenizer, on_progress, "")


def _check_tokenizer(repo: Repo) -> None:
    if repo.size > MOST_TOKENIZER:
        size = f"{repo.size / 1e6:,.0f} MB"
        raise MemoryLimitError(f"The tokenizer of ‘{repo.name}’ is too large: {size}.")


def read_config(folder: Path, name: str) -> Any:
    """The config of a folder, as transformers reads it.

    Raises:
        ModelError: none, damaged, of no language model, or larger than any that is used.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"‘{name}’ is not a model folder: it has no config.json.")
    config = config_of(folder, name)
    check_generative(config, config.architectures or [], name, config.model_type)
    _check_size(config, name)
    return config


def counted(folder: Path, name: str) -> int:
    """The parameters of a folder's model, those that are tied once; ``read_config`` comes first.

    Raises:
        ModelError: it cannot be built.
    """
    return int(outline(Folder(folder, name, ())).num_parameters())


def added(folder: Path, name: str, adapter: Path) -> int:
    """The numbers in an adapter for a folder's model; ``read_config`` comes first.

    Raises:
        ModelError: it does not fit.
    """
    return Adapters(outline(Folder(folder, name, ()))).count(adapter)


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


def _fetched(ref: ModelRef, token: bool | None) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    file = (ref.name, "config.json")
    try:
        told = get_hf_file_metadata(hf_hub_url(*file, revision=ref.revision), token=token)
        if (told.size or 0) > MOST_BYTES:
            raise ModelError(f"The config of ‘{ref.name}’ is too large.")
        return Path(hf_hub_download(*file, revision=ref.revision, token=token)).parent
    except ModelError:
        raise
    except GatedRepoError:
        raise ModelError(
            f"‘{ref.name}’ is gated on the Hub.", gated_hint(token, ref.name)
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(f"There is no model named ‘{ref.name}’, here or on the Hub.") from None
    except Exception as error:
        raise ModelError(
            f"The config of ‘{ref.name}’ cannot be fetched.", "Is there a network?"
        ) from error
