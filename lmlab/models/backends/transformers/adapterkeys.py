"""Which of an adapter's tensors belongs where in a model, by name and shape: all or none."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

# What other tools put into names: compiled, sharded or checkpointed models, the text part of a
# model that also sees, and PEFT's own name of an adapter.
ADDED = frozenset(
    ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "language_model", "default")
)
BEGINNINGS = ("base_model.model.", "module.")


class MisfitError(Exception):
    """Why tensors do not fit: a clause after “The adapter does not fit this model: ”."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def plain_key(key: str) -> str:
    """A tensor's name without what wraps the model.

    >>> plain_key("base_model.model._orig_mod.model.layers.0.q_proj.lora_A.default.weight")
    'model.layers.0.q_proj.lora_A.weight'
    """
    plain = ".".join(part for part in key.split(".") if part not in ADDED)
    while begun := next((one for one in BEGINNINGS if plain.startswith(one)), None):
        plain = plain.removeprefix(begun)
    return plain


def fitted(
    given: Mapping[str, Tensor], expected: Mapping[str, Tensor], base: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """An adapter's tensors under the names that the model has for them.

    Args:
        given: of the adapter's file.
        expected: what the model with the adapter's matrices beside it would save.
        base: the model's own tensors, some of which an adapter's file may hold once more.

    Raises:
        MisfitError: a tensor is missing, has no place, or is of another shape; or the file holds
            some of the base's own, with other values.
    """
    found, wanted = _named(given), _named(expected)
    own = {plain_key(key): tensor for key, tensor in base.items()}
    rest = [name for name in found if name not in wanted]
    carried = {name: own[_unwrapped(name)] for name in rest if _unwrapped(name) in own}
    for name, mine in carried.items():
        _check_carried(name, found[name][1], mine)
    extra = [name for name in rest if name not in carried]
    missing = [name for name in wanted if name not in found]
    if missing or extra:
        raise MisfitError(_absent(missing, len(wanted), extra, len(found)))
    for name, (_, tensor) in wanted.items():
        _check_shape(name, found[name][1], tensor)
    return {key: found[name][1] for name, (key, _) in wanted.items()}


def _named(tensors: Mapping[str, Tensor]) -> dict[str, tuple[str, Tensor]]:
    """{plain name: (name, tensor)}; by their whole names where plain ones would be the same."""
    plain = {plain_key(key): (key, tensor) for key, tensor in tensors.items()}
    if len(plain) == len(tensors):
        return plain
    return {key: (key, tensor) for key, tensor in tensors.items()}


def _unwrapped(name: str) -> str:
    """A tensor of the base beside which an adapter stands, by the base's name for it."""
    return name.replace(".base_layer.", ".")


def _check_carried(name: str, theirs: Tensor, mine: Tensor) -> None:
    """PEFT would write it into the base, which other adapters share."""
    _check_shape(name, theirs, mine)
    if not mine.is_meta and not torch.equal(theirs.to(mine.device, mine.dtype), mine):
        raise MisfitError(f"it holds other values of the base’s own ‘{name}’")


def _check_shape(name: str, theirs: Tensor, mine: Tensor) -> None:
    if theirs.shape != mine.shape:
        raise MisfitError(f"‘{name}’ is {_sides(theirs)} and would have to be {_sides(mine)}")


def _absent(missing: list[str], of_missing: int, extra: list[str], of_extra: int) -> str:
    said = []
    if missing:
        said.append(f"{len(missing)} of {of_missing} tensors are missing, such as {_some(missing)}")
    if extra:
        said.append(
            f"{len(extra)} of its {of_extra} tensors have no place in it, such as {_some(extra)}"
        )
    return "; ".join(said)


def _some(names: Iterable[str]) -> str:
    return f"‘{min(names)[:200]}’"


def _sides(tensor: Tensor) -> str:
    return " × ".join(str(side) for side in tensor.shape) or "one number"
