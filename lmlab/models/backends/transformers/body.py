"""How a model is run, whatever its kind: ids to rows, alone or over what it has read before, and
how its head is best applied: decided from the model, proved on a probe.

What a model keeps of what it has read is opaque here: whatever its forward pass hands out is handed
in again under the name that the pass knows.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as memo
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from lmlab.models.backends.transformers.past import Past
from lmlab.models.head import Head, SlicedHead, TiledHead

# A key–value cache, a recurrent state: names of several versions and kinds of transformers' models.
PAST = ("cache", "past_key_values", "cache_params", "state")
Kind = Literal["linear", "own"]  # of a head: one linear map, or whatever the model's own does
TOLERANCE = {torch.float32: 5e-5, torch.bfloat16: 3e-2, torch.float16: 5e-3}


@dataclass(frozen=True)
class Body:
    """A model as a function of ids."""

    model: Any
    soft_prompt: Tensor | None  # [length, H] put before the embedded text, or None
    # give the logits [B, T, V] of the whole model; else the last hidden state [B, T, H]
    whole: bool

    def __call__(self, ids: Tensor) -> Tensor:
        """The plain forward pass over ids [B, T], which all short cuts are held against."""
        output = self._module(**self._inputs(ids), use_cache=False)
        return self._rows(output)[:, -ids.shape[1] :]

    def over(
        self, ids: Tensor, past: Past | None, *, positions: bool, last: bool = False
    ) -> tuple[Tensor, Past | None]:
        """Rows of ids [B, T] that come after a past, and the past that they leave.

        Args:
            ids: the new ones alone.
            past: None at the start; it may be changed in place.
            positions: whether positions are passed rather than inferred.
            last: the rows of the last position alone are needed: [B, 1, …].

        Returns:
            The rows, and the new past; None where the model keeps none.
        """
        at = past.length if past else 0
        inputs: dict[str, Any] = self._inputs(ids) if past is None else {"input_ids": ids}
        length = next(iter(inputs.values())).shape[1]
        known = parameters(type(self._module).forward)
        if past is not None:
            inputs[next(name for name in PAST if name in known)] = past.state
            places = torch.arange(at + length, device=ids.device).expand(len(ids), -1)
            if past.pads is not None:
                places = places - past.pads[:, None]
                inputs["attention_mask"] = (places >= 0).long()
            if positions and "position_ids" in known:
                inputs["position_ids"] = places[:, at:]
        if last and self.whole and "logits_to_keep" in known:
            inputs["logits_to_keep"] = 1
        output = self._module(**inputs, use_cache=True)
        state = next((s for name in PAST if (s := getattr(output, name, None)) is not None), None)
        rows = self._rows(output)[:, -1:] if last else self._rows(output)[:, -ids.shape[1] :]
        pads = past.pads if past else None
        return rows, None if state is None else Past(state, at + length, pads)

    @property
    def keeps(self) -> bool:
        """Whether the forward pass takes what it has read by any name."""
        known = parameters(type(self._module).forward)
        return any(name in known for name in PAST)

    @property
    def _module(self) -> Any:
        return self.model if self.whole else self.model.base_model

    def _rows(self, output: Any) -> Tensor:
        rows: Tensor = output.logits if self.whole else output.last_hidden_state
        return rows

    def _inputs(self, ids: Tensor) -> dict[str, Any]:
        if self.soft_prompt is None:
            return {"input_ids": ids}
        soft = self.soft_prompt.expand(len(ids), *self.soft_prompt.shape)
        return {"inputs_embeds": torch.cat([soft, self.model.get_input_embeddings()(ids)], 1)}


@memo
def parameters(forward: Callable[..., Any]) -> frozenset[str]:
    """The names that a forward pass knows; what ``**kwargs`` would swallow is not among them."""
    return frozenset(inspect.signature(forward).parameters)


def close(got: Tensor, expected: Tensor) -> bool:
    """Whether rows are equal but for rounding; not-a-number equals itself."""
    if got.shape != expected.shape:
        return False
    tolerance = TOLERANCE.get(expected.dtype, 1e-4)
    scale = float(expected.float().nan_to_num().abs().max())
    return torch.allclose(got, expected, rtol=tolerance, atol=tolerance * scale, equal_nan=True)


def head_of(model: Any, rows: Tensor, logits: Tensor) -> Kind | None:
    """What makes a bare body's rows [T, H] into those logits [T, V], if anything does."""
    linear = _linear(model)
    if linear is not None and _agrees(linear.logits, rows, logits):
        return "linear"
    return "own" if _agrees(OwnHead(model), rows, logits) else None


def head_like(kind: Kind, model: Any, width: int) -> Head:
    """The head of that kind, which gives so many logits."""
    linear = _linear(model) if kind == "linear" else None
    if linear is None:
        return SlicedHead(OwnHead(model), width)
    tiled = linear.weight.dtype == torch.float32 and linear.weight.device.type == "cpu"
    return linear if tiled else SlicedHead(linear.logits, width)


class _Given(nn.Module):
    """Stands in for a model's body and gives back a hidden state that is known already."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden

    def forward(self, *args: Any, **kwargs: Any) -> BaseModelOutputWithPast:
        return BaseModelOutputWithPast(last_hidden_state=self.hidden)


@dataclass(frozen=True)
class OwnHead:
    """The model's own head, with its caps and scales, on rows computed before."""

    model: Any

    def __call__(self, rows: Tensor) -> Tensor:
        """[N, H] rows to [N, V] logits; the caller holds the weights' lock."""
        modules, name = self.model._modules, self.model.base_model_prefix
        body = modules[name]
        ids = torch.zeros(1, len(rows), dtype=torch.long, device=rows.device)
        try:
            modules[name] = _Given(rows[None])
            logits: Tensor = self.model(input_ids=ids, use_cache=False).logits
        finally:
            modules[name] = body
        return logits[0]


def _linear(model: Any) -> TiledHead | None:
    """The head as one linear map, or None when it has another form or a cap on its logits."""
    head = model.get_output_embeddings()
    capped = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    if type(head) is not nn.Linear or capped:
        return None
    return TiledHead(head.weight.detach(), None if head.bias is None else head.bias.detach())


def _agrees(head: Callable[[Tensor], Tensor], rows: Tensor, expected: Tensor) -> bool:
    """Whether a way gives the model's own logits on the probe."""
    try:
        return close(head(rows), expected)
    except Exception:
        # Architectures differ in how they call their head; any failure means: not this way.
        return False
