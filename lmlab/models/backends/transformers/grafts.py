"""One PEFT adapter in a model: its own modules, put into the tree and taken out again.

While it is out, the model is the untouched base, so that adapters of any kinds share one copy of
the weights. What PEFT makes of an adapter is proved when it is attached: by names and shapes of its
tensors, by the base's own values, and by PEFT's own forward pass on a few tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel, PeftModelForCausalLM, TaskType
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from peft.utils.transformers_weight_conversion import (
    convert_peft_adapter_state_dict_for_transformers,
)
from torch import Tensor, nn

from lmlab.models.backends.transformers.adapterkeys import MisfitError, fitted, plain_key

NAME = "default"
PREFIX = "base_model.model."
PROBE = 8
# Kinds that leave the base's weights alone, which a test shows; of others it is checked each time.
HARMLESS = frozenset(
    (
        "ADALORA", "BOFT", "C3A", "DELORA", "FOURIERFT", "GRALORA", "HRA", "IA3", "LN_TUNING",
        "LOHA", "LOKR", "LORA", "MISS", "OFT", "RANDLORA", "ROAD", "TRAINABLE_TOKENS", "VBLORA",
        "VERA", "WAVEFT",
    )
)  # fmt: skip
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 1e-3}
Children = dict[nn.Module, dict[str, nn.Module | None]]


@dataclass(frozen=True)
class Slot:
    """One place in the model's tree: the base's module there, and the adapter's."""

    parent: nn.Module
    name: str
    base: nn.Module | None
    own: nn.Module | None


@dataclass(frozen=True)
class Graft:
    """An adapter's modules."""

    peft: Any  # PEFT's model, over the same base as all others
    slots: tuple[Slot, ...]  # where its modules stand while it is in
    # those of them that hold LoRA matrices, with their trained scales s
    layers: tuple[tuple[Any, float], ...]
    n_bytes: int  # of all that is not the base's own

    @property
    def config(self) -> Any:
        """PEFT's config of the adapter."""
        return self.peft.peft_config[NAME]

    def put_in(self) -> None:
        """Make the model the adapted one."""
        for slot in self.slots:
            _place(slot.parent, slot.name, slot.own)

    def take_out(self) -> None:
        """Make the model the base again."""
        for slot in self.slots:
            _place(slot.parent, slot.name, slot.base)

    def scale(self, alpha: float) -> None:
        """Set the scale of each LoRA layer to its trained value times α."""
        for layer, trained in self.layers:
            layer.scaling[NAME] = trained * alpha


def bytes_of(module: nn.Module) -> int:
    """Bytes of a module's parameters and buffers, each once."""
    tensors = [*module.parameters(), *module.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _place(parent: nn.Module, name: str, module: nn.Module | None) -> None:
    if module is None:
        parent._modules.pop(name, None)
    else:
        parent._modules[name] = module


def graft(model: nn.Module, config: Any, tensors: dict[str, Tensor]) -> Graft:
    """Attach an adapter to a model and leave it in.

    Raises:
        MisfitError: tensors are missing, left over or of another shape; or PEFT's numbers cannot
            be had.
        Exception: whatever PEFT raises. The model is the untouched base then.
    """
    ids = _probe(model)
    before, n_bytes = _logits(model, ids), bytes_of(model)
    children = _children(model)
    with _undone(children), _guarded(model, config):
        peft = filled(model, config, tensors)
        layers = tuple(
            (layer, float(layer.scaling[NAME]))
            for layer in model.modules()
            if isinstance(layer, LoraLayer) and NAME in layer.scaling
        )
        made = Graft(peft, _slots(children), layers, bytes_of(model) - n_bytes)
        found = _logits(model, ids)
        _check_alike(found, _logits(peft, ids), "it needs PEFT’s own forward pass")
        changed = torch.cat([ids[:, :-1], ids[:, :1]], 1)
        later = "with it, what comes later in a text changes what was said before"
        _check_alike(_logits(model, changed)[:, :-1], found[:, :-1], later)
        made.take_out()
        _check_alike(_logits(model, ids), before, "it changes the base itself")
        made.put_in()
    return made


@torch.no_grad()
def filled(model: nn.Module, config: Any, tensors: dict[str, Tensor]) -> Any:
    """PEFT's model with the adapter's tensors in it; arguments and errors as of ``graft``."""
    base = model.state_dict()
    config.inference_mode = True
    peft = _injected(model, config, tensors)
    expected = get_peft_model_state_dict(peft, adapter_name=NAME, save_embedding_layers=False)
    try:
        fitting = fitted(tensors, expected, base)
    except MisfitError as misfit:
        fitting = _converted(peft, config, tensors, expected, base, misfit)
    report: Any = set_peft_model_state_dict(peft, fitting, NAME)
    if report.unexpected_keys:
        raise MisfitError(f"PEFT has no place for ‘{report.unexpected_keys[0]}’")
    peft.eval().requires_grad_(False)
    return peft


def numbers(peft: Any) -> int:
    """The numbers that PEFT's model has beside the base's own."""
    own = get_peft_model_state_dict(peft, adapter_name=NAME, save_embedding_layers=False)
    return sum(tensor.numel() for tensor in own.values())


def _converted(
    peft: Any,
    config: Any,
    tensors: dict[str, Tensor],
    expected: dict[str, Tensor],
    base: dict[str, Tensor],
    misfit: MisfitError,
) -> dict[str, Tensor]:
    """A file of an older transformers, where layers of a model have been put together since."""
    try:
        newer = convert_peft_adapter_state_dict_for_transformers(peft, config, tensors, NAME)
        return fitted(newer, expected, base)
    except Exception:
        raise misfit from None


def _injected(model: nn.Module, config: Any, tensors: dict[str, Tensor]) -> Any:
    """PEFT's model with new matrices beside the base's."""
    kind = PeftModelForCausalLM if config.task_type == TaskType.CAUSAL_LM else PeftModel
    try:
        return kind(model, config, NAME)
    except ValueError:
        # Where another tool has put something into names, the config's targets may have it too.
        named = {key: plain_key(key) for key in tensors if ".lora_" in key}
        targets = {plain.partition(".lora_")[0] for plain in named.values()}
        known = targets and targets <= {name for name, _ in model.named_modules()}
        if not known or all(key == f"{PREFIX}{plain}" for key, plain in named.items()):
            raise
        config.target_modules = targets
        return kind(model, config, NAME)


def _children(model: nn.Module) -> Children:
    """What stands where in the tree: {parent: {name: child}}."""
    return {parent: dict(parent._modules) for parent in model.modules()}


def _slots(before: Children) -> tuple[Slot, ...]:
    """The places of the base's own modules where something else stands now."""
    return tuple(
        Slot(parent, name, children.get(name), parent._modules.get(name))
        for parent, children in before.items()
        for name in {**children, **parent._modules}
        if children.get(name) is not parent._modules.get(name)
    )


@contextmanager
def _undone(before: Children) -> Iterator[None]:
    """Put the base's modules back where something goes wrong."""
    try:
        yield
    except BaseException:
        for slot in _slots(before):
            _place(slot.parent, slot.name, slot.base)
        raise
    finally:
        # PEFT leaves this mark on the base, and takes one that has it for another adapter's.
        for module in before:
            vars(module).pop("peft_config", None)


@contextmanager
def _guarded(model: nn.Module, config: Any) -> Iterator[None]:
    """Keep the base's weights from a kind of adapter that may write into them."""
    start = getattr(config, "init_lora_weights", None)
    plain = not isinstance(start, str) or start == "gaussian"
    if plain and config.peft_type.value in HARMLESS:
        yield
        return
    kept = [(parameter, parameter.data) for parameter in model.parameters()]
    for parameter, data in kept:
        parameter.data = data.clone()
    try:
        yield
        changed = any(not torch.equal(p.data, data) for p, data in kept)
    finally:
        for parameter, data in kept:
            parameter.data = data
    if changed:
        raise MisfitError("it changes the base itself")


def _probe(model: Any) -> Tensor:
    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    return torch.arange(PROBE, device=model.device)[None] % vocabulary


@torch.inference_mode()
def _logits(model: Any, ids: Tensor) -> Tensor:
    logits: Tensor = model(input_ids=ids, use_cache=False).logits
    return logits


def _check_alike(one: Tensor, other: Tensor, otherwise: str) -> None:
    """The same computation twice; a GPU may sum in another order."""
    near = CLOSE.get(other.dtype, 1e-5) * float(other.nan_to_num().abs().max())
    if one.shape != other.shape or not torch.allclose(one, other, 0, near, equal_nan=True):
        raise MisfitError(otherwise)
