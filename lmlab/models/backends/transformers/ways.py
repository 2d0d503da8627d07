"""Which way a model is run: decided on the model at hand, by a probe of a few tokens.

Nothing is concluded from the name of a class. A short cut counts as given once it was seen to give
the rows of the plain forward pass; what is not equal, or fails, goes the plain way.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lmlab.models.backends.transformers.body import Body, close, head_of
from lmlab.models.head import Head, SlicedHead

PROBE = 12
HALF = PROBE // 2
# Factors of rotary positions that depend on how long a text is.
BY_LENGTH = ("longrope", "su", "dynamic")


@dataclass(frozen=True)
class Ways:
    """How one model, with one adapter or none, is run.

    The caller holds the weights' lock and has switched the adapter on. Each short cut is tried the
    first time it is asked for, and the answer is kept.
    """

    body: Body  # ids to one row a position, without the head where it can be taken apart
    whole: Body  # ids to logits: the plain forward pass
    head: Head  # rows of ``body`` to statistics of the next-token distributions
    # positions, a soft prompt counted, up to which a text is read with other rotary factors than a
    # longer one; None where length makes no difference
    border: int | None
    _shown: dict[str, bool] = field(default_factory=dict)
    _rows: list[Tensor] = field(default_factory=list)
    _windows: list[int] = field(default_factory=list)  # of what it was seen to keep

    def shown(self, what: str, trial: Callable[[], bool]) -> bool:
        """Whether a short cut was seen to give the plain rows; a failure means that it does not."""
        if what not in self._shown:
            try:
                with torch.inference_mode():
                    self._shown[what] = trial()
            except Exception:
                # Architectures differ in what they lack; any failure means: not this way.
                self._shown[what] = False
        return self._shown[what]

    @property
    def causal(self) -> bool:
        """Whether what comes later leaves what was said before it alone."""
        return self.shown("causal", self._causal)

    @property
    def batch(self) -> bool:
        """Whether rows side by side, padded on the right, are those of each alone."""
        return self.shown("batch", self._batch)

    @property
    def past(self) -> bool:
        """Whether steps over what the model keeps of what it read are the plain rows."""
        return self._steps(True) or self._steps(False)

    @property
    def positions(self) -> bool:
        """Whether positions are passed with what comes after a past."""
        return self._steps(True)

    @property
    def pieces(self) -> bool:
        """Whether a text may be read in pieces."""
        return self.past and self.shown("pieces", self._pieces)

    @property
    def beside(self) -> bool:
        """Whether several rows of one length go on step by step side by side."""
        return self.past and self.batch and self.shown("beside", self._beside)

    @property
    def shared(self) -> bool:
        """Whether the past of one row serves several, some of which may be dropped."""
        return self.pieces and self.beside and self.shown("shared", self._shared)

    @property
    def window(self) -> int | None:
        """Positions beyond which what it keeps has lost some; None where none is ever lost."""
        return min(self._windows, default=None) if self.past else None

    def reaches(self, length: int) -> bool:
        """Whether the short cuts hold for a text of so many positions.

        Beyond a window that is tried on a text of that length, once one as long is asked for: a
        config may name a window that the plain pass knows nothing of.
        """
        window = self.window
        return window is None or length <= window or self.shown("far", self._far)

    def notes(self) -> list[str]:
        """What a person should know of a model that not every short cut serves.

        What only several rows need is told once it was tried.
        """
        found = []
        if not self.past:
            found.append(
                "It keeps nothing of what it read, or nothing that can be trusted: each new token "
                "reads the text anew."
            )
        elif not self.pieces:
            found.append("Its state is lost between pieces: a prompt is read at once.")
        if self._shown.get("far") is False:
            found.append(
                f"Beyond {self.window:,} tokens what it keeps has lost some: each new token reads "
                "the text anew."
            )
        if self._shown.get("beside") is False:
            found.append("Several rows cannot go on together: each step reads them anew.")
        elif self._shown.get("shared") is False:
            found.append("What it has read cannot be shared: every row reads the prompt itself.")
        return [*found, *self.reading()]

    def reading(self) -> list[str]:
        """The part of the notes that a score depends on."""
        found = []
        if not self.batch:
            found.append("Texts side by side disturb each other: they are read one by one.")
        if self.border is not None:
            found.append(
                f"Beyond {self.border:,} tokens it reads with other factors; what came before is "
                "then read anew."
            )
        return found

    @property
    def probe(self) -> Tensor:
        """[1, 12] ids."""
        return probe_ids(self.body.model)

    def _expected(self) -> Tensor:
        """Rows [12, …] of the probe by the plain pass."""
        if not self._rows:
            self._rows.append(self.body(self.probe)[0])
        return self._rows[0]

    def _batch(self) -> bool:
        rows = self.body(_three(self.probe))
        return _apart(rows) and close(rows[2], self._expected())

    def _causal(self) -> bool:
        if self.batch:
            return True
        return close(self.body(_changed(self.probe))[0, :-1], self._expected()[:-1])

    def _steps(self, positions: bool) -> bool:
        """Whether single steps, and the reading before them, are the plain rows."""
        if not self.body.keeps or not self.whole.keeps:
            return False
        return self.shown(f"steps {positions}", lambda: self._stepped(positions))

    def _stepped(self, positions: bool) -> bool:
        found = self._pieced(self.probe, 0, HALF, HALF + 1, HALF + 2, HALF + 3, at=positions)[0]
        return close(found, self._expected()[: len(found)])

    def _pieces(self) -> bool:
        found = self._pieced(self.probe, 0, 3, HALF, PROBE - 1, PROBE, at=self.positions)[0]
        return close(found, self._expected())

    def _beside(self) -> bool:
        both = torch.cat([self.probe.flip(1), self.probe])
        found = self._pieced(both, 0, HALF, HALF + 1, HALF + 2, at=self.positions)[1]
        return close(found, self._expected()[: len(found)])

    def _pieced(self, ids: Tensor, *cuts: int, at: bool) -> Tensor:
        """Rows of ids that are read piece by piece, over what the model keeps."""
        parts, past = [], None
        for low, high in pairwise(cuts):
            if low and past is None:
                raise ValueError("it keeps nothing")
            rows, past = self.body.over(ids[:, low:high], past, positions=at)
            parts.append(rows)
        if past is not None and past.window is not None:
            self._windows.append(past.window)
        return torch.cat(parts, 1)

    def _far(self) -> bool:
        """Whether pieces and steps across the window, and beyond it, are the plain rows."""
        window = self.window or 0
        ids = probe_ids(self.body.model, window + HALF)
        low, high = max(1, window - 2), window + 2
        found = self._pieced(ids, 0, low, *range(high, window + HALF + 1), at=self.positions)[0]
        return close(found[low:], self.body(ids)[0, low:])

    def _shared(self) -> bool:
        """One past for two rows, one of which goes on alone; then again, to see it untouched."""
        ids, expected = self.probe, self._expected()
        _, past = self.body.over(ids[:, :HALF], None, positions=self.positions)
        assert past is not None
        rest = torch.cat([_changed(ids), ids])[:, HALF:]
        for _ in range(2):
            wide = past.widened(2)
            rows, left = self.body.over(rest[:, :-1], wide, positions=self.positions)
            assert left is not None
            left.select(torch.tensor([1], device=ids.device))
            more, _ = self.body.over(rest[1:, -1:], left, positions=self.positions)
            if not close(torch.cat([rows[1], more[0]]), expected[HALF:]):
                return False
        return True


@torch.inference_mode()
def choose(model: Any, soft_prompt: Tensor | None) -> Ways:
    """The way to run a model: its head tiled, else its own on slices of rows, else full logits."""
    whole, bare = Body(model, soft_prompt, whole=True), Body(model, soft_prompt, whole=False)
    border = border_of(model.config)
    ids = probe_ids(model)
    logits = whole(ids)[0]
    # One pass for two questions: the head, and whether rows side by side are those of each alone.
    rows = _tried(bare, _three(ids))
    if rows is not None and _apart(rows):
        head = head_of(model, rows[2], logits)
        if head is not None:
            return Ways(bare, whole, head, border, {"batch": True}, [rows[2]])
    rows = _tried(bare, ids)
    head = None if rows is None else head_of(model, rows[0], logits)
    if head is not None:
        return Ways(bare, whole, head, border)
    return Ways(whole, whole, SlicedHead(lambda rows: rows, logits.shape[-1]), border)


def _tried(body: Body, ids: Tensor) -> Tensor | None:
    try:
        return body(ids)
    except Exception:
        # Architectures differ in how they call their body; any failure means: not this way.
        return None


def _three(ids: Tensor) -> Tensor:
    """[3, 12]: half of the ids and padding, the ids with another one last, the ids."""
    padded = F.pad(ids[:, :HALF], (0, PROBE - HALF))
    return torch.cat([padded, _changed(ids), ids])


def _changed(ids: Tensor) -> Tensor:
    changed = ids.clone()
    changed[0, -1] = ids[0, 0]
    return changed


def _apart(rows: Tensor) -> bool:
    """Whether the first two of three rows are the third's, as far as they read the same."""
    pairs = (rows[0, :HALF], rows[2, :HALF]), (rows[1, :-1], rows[2, :-1])
    return all(close(*pair) for pair in pairs)


def probe_ids(model: Any, length: int = PROBE) -> Tensor:
    """[1, length] different ids, while there are, not among the first few, often special."""
    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    first = min(5, vocabulary - 1)
    ids = [first + (7 * i) % (vocabulary - first) for i in range(length)]
    return torch.tensor([ids], device=model.device)


def border_of(config: Any) -> int | None:
    """Positions up to which a model reads with its short rotary factors, from its config."""
    config = config.get_text_config(decoder=True)
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    entries = [rope] if "rope_type" in rope else [e for e in rope.values() if isinstance(e, dict)]
    found = [
        entry.get("original_max_position_embeddings")
        or getattr(config, "original_max_position_embeddings", None)
        or config.max_position_embeddings
        for entry in entries
        if entry.get("rope_type") in BY_LENGTH
    ]
    return min(map(int, found), default=None)
