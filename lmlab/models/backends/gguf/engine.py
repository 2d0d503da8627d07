"""llama.cpp by its own functions: a model and its adapters, and contexts that read tokens.

Knows ids and logits, not text. Whatever llama.cpp has to say is kept for the error, never printed.
"""

import ctypes
import re
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from lmlab.errors import LabError, MemoryLimitError, ModelError
from lmlab.settings import Settings

ONE_AT_A_TIME = threading.Lock()  # llama.cpp has one ear for all that it says
LEAST_CELLS = 256
UBATCH = 512  # tokens of one pass at most
QUIET = llama_cpp.llama_log_callback(lambda level, text, _: None)  # between loads, what it says
LEADS = re.compile(r"^(error loading [a-z ]+: |\w+: )+")
TABLE = 100_000_000  # bytes of logits at most
WORST = 4  # the level of errors in llama.cpp’s log


@contextmanager
def listening() -> Iterator[list[str]]:
    """The errors that llama.cpp writes meanwhile, instead of on the terminal."""
    said: list[str] = []

    def hear(level: int, text: bytes, _: Any) -> None:
        if level == WORST:
            said.append(text.decode(errors="replace").strip())

    ear = llama_cpp.llama_log_callback(hear)
    with ONE_AT_A_TIME:
        llama_cpp.llama_log_set(ear, ctypes.c_void_p(0))
        try:
            yield said
        finally:
            llama_cpp.llama_log_set(QUIET, ctypes.c_void_p(0))


@dataclass(eq=False)
class Engine:
    """A model in llama.cpp's memory, freed with this."""

    name: str
    pointer: Any
    width: int  # tokens that a distribution is over
    threads: int
    cell: int  # bytes that a position takes in a context
    adapters: dict[Path, Any] = field(default_factory=dict)
    idle: "Session | None" = None  # one context that nobody uses
    beside: bool = False  # whether rows were seen to be read side by side as they are alone

    def __post_init__(self) -> None:
        weakref.finalize(self, llama_cpp.llama_model_free, self.pointer)

    @property
    def vocabulary(self) -> Any:
        """What llama.cpp's functions about tokens take."""
        return llama_cpp.llama_model_get_vocab(self.pointer)

    def attach(self, file: Path, name: str) -> None:
        """Read an adapter that is not there yet.

        Raises:
            ModelError: it cannot be read, or was made for another model.
        """
        if file in self.adapters:
            return
        with listening() as said:
            found = llama_cpp.llama_adapter_lora_init(self.pointer, str(file).encode())
        if not found:
            raise ModelError(
                f"The adapter of ‘{name}’ cannot be used: {_reason(said)}.",
                "It must be made for this very model, by llama.cpp’s convert_lora_to_gguf.py.",
            )
        self.adapters[file] = found

    def detach(self, file: Path) -> None:
        """Forget an adapter; no context that uses it may read on."""
        self.idle = None
        if (found := self.adapters.pop(file, None)) is not None:
            llama_cpp.llama_adapter_lora_free(found)

    def session(self, cells: int, rows: int) -> "Session":
        """A context with room for so many positions of each row."""
        free, self.idle = self.idle, None
        if free is not None and free.cells >= cells and free.rows >= rows:
            free.clear()
            return free
        return Session(self, cells, rows)


def load(file: Path, name: str, cell: int, settings: Settings) -> Engine:
    """Read a model whose header was looked at.

    Raises:
        ModelError: llama.cpp cannot use it; with what it says.
    """
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = 0 if settings.device == "cpu" else -1
    with listening() as said:
        llama_cpp.llama_backend_init()
        pointer = llama_cpp.llama_model_load_from_file(str(file).encode(), params)
    if not pointer:
        raise ModelError(
            f"‘{name}’ cannot be read by llama.cpp: {_reason(said)}.",
            "Choose another file, or a newer llama-cpp-python.",
        )
    width = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(pointer))
    threads = settings.threads or psutil.cpu_count(logical=False) or 1
    return Engine(name, pointer, width, threads, cell)


def _reason(said: Sequence[str]) -> str:
    """The first of the errors, without what it is the reason of."""
    first = next((line for line in said if line), "it does not say why")
    return LEADS.sub("", first)[:200].rstrip(".")


class Session:
    """A context of llama.cpp: what some rows have read, freed with this.

    Args:
        engine: the model; the caller holds its lock.
        cells: positions that each row has room for; grows where more are read.
        rows: how many there may be, numbered from 0. Each keeps what it reads in a place of its
            own: so it reads what it would read alone, to the last bit.
    """

    def __init__(self, engine: Engine, cells: int, rows: int) -> None:
        self.engine, self.rows = engine, rows
        self.cells = 0
        self.lengths = [0] * rows  # positions that each row has read
        self.piece = max(32, min(UBATCH, TABLE // (4 * engine.width)))
        self._context: Any = None
        self._close: Any = lambda: None
        self._adapter: tuple[Path | None, float] = (None, 1.0)
        self._grow(cells)

    def adapt(self, adapter: Path | None, alpha: float) -> None:
        """Have an adapter, or none, change all that is read from here on."""
        self._adapter = (adapter, alpha)
        if adapter is None:
            llama_cpp.llama_set_adapters_lora(self._context, None, 0, None)
            return
        one = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(self.engine.adapters[adapter])
        llama_cpp.llama_set_adapters_lora(self._context, one, 1, (ctypes.c_float * 1)(alpha))

    def clear(self) -> None:
        """Forget all that was read."""
        llama_cpp.llama_memory_clear(self._memory, False)
        self.lengths = [0] * self.rows

    def copy(self, source: int, target: int) -> None:
        """Have a row stand where another one is; what it had read is forgotten."""
        self.drop(target)
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self.lengths[target] = self.lengths[source]

    def drop(self, row: int) -> None:
        """Forget what a row has read."""
        llama_cpp.llama_memory_seq_rm(self._memory, row, -1, -1)
        self.lengths[row] = 0

    def read(self, parts: Sequence[tuple[int, Sequence[int], int]]) -> Iterator[Tensor]:
        """Read on in several rows.

        Args:
            parts: (row, ids, how many logits are wanted, of the last ids) of each.

        Yields:
            Logits [n, V] of the wanted places in order, some at a time; good until the next.
        """
        ids = np.array([i for _, part, _ in parts for i in part], dtype=np.int32)
        at = np.concatenate([self.lengths[r] + np.arange(len(p)) for r, p, _ in parts])
        rows = np.concatenate([np.full(len(p), r) for r, p, _ in parts])
        wanted = np.concatenate([np.arange(len(p)) >= len(p) - n for _, p, n in parts])
        self._grow(max(self.lengths[row] + len(part) for row, part, _ in parts))
        for row, part, _ in parts:
            self.lengths[row] += len(part)
        for low in range(0, len(ids), self.piece):
            some = slice(low, low + self.piece)
            found = self._decode(ids[some], at[some], rows[some], wanted[some])
            if len(found):
                yield found

    def _decode(
        self, ids: NDArray[Any], at: NDArray[Any], rows: NDArray[Any], wanted: NDArray[Any]
    ) -> Tensor:
        """One pass over at most ``piece`` tokens: the logits [n, V] of the wanted ones."""
        at, rows = at.astype(np.int32), rows.astype(np.int32)
        flags, ones = wanted.astype(np.int8), np.ones(len(ids), dtype=np.int32)
        # llama.cpp takes of each token a list of rows.
        lists = rows.ctypes.data + rows.itemsize * np.arange(len(ids), dtype=np.uintp)
        batch = llama_cpp.llama_batch(
            n_tokens=len(ids),
            token=_pointer(ids, ctypes.c_int32),
            pos=_pointer(at, ctypes.c_int32),
            n_seq_id=_pointer(ones, ctypes.c_int32),
            seq_id=_pointer(lists, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(flags, ctypes.c_int8),
        )
        code = llama_cpp.llama_decode(self._context, batch)
        if code:
            raise ModelError(f"llama.cpp cannot run ‘{self.engine.name}’ (it answers {code}).")
        shape = (int(flags.sum()), self.engine.width)
        if not shape[0]:
            return torch.empty(shape)
        table = llama_cpp.llama_get_logits(self._context)
        return torch.from_numpy(np.ctypeslib.as_array(table, shape))

    def _grow(self, need: int) -> None:
        """Room for so many positions of a row; what was read stays."""
        if need <= self.cells:
            return
        cells = LEAST_CELLS
        while cells < need:
            cells *= 2
        kept = [(row, self._state(row)) for row, length in enumerate(self.lengths) if length]
        self._close()
        self._open(cells)
        for row, state in kept:
            buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
            llama_cpp.llama_state_seq_set_data(self._context, buffer, len(state), row)

    def _state(self, row: int) -> bytes:
        size = llama_cpp.llama_state_seq_get_size(self._context, row)
        buffer = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(self._context, buffer, size, row)
        return bytes(buffer)

    def _open(self, cells: int) -> None:
        engine = self.engine
        need, free = cells * self.rows * engine.cell, psutil.virtual_memory().available
        if need > free:
            raise _too_long(engine.name)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = cells * self.rows, self.rows, False
        params.n_batch = params.n_ubatch = self.piece
        params.n_threads = params.n_threads_batch = engine.threads
        params.no_perf = True
        with listening():
            self._context = llama_cpp.llama_init_from_model(engine.pointer, params)
        if not self._context:
            raise _too_long(engine.name)
        # A model outlives its contexts: the finalizer holds on to it.
        self._close = weakref.finalize(self, _free, self._context, engine)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self.cells = cells
        self.adapt(*self._adapter)


def _free(context: Any, engine: Engine) -> None:
    llama_cpp.llama_free(context)


def _too_long(name: str) -> LabError:
    return MemoryLimitError(
        f"There is not enough memory for ‘{name}’ to read that much at once.", "Shorten it."
    )


def _pointer(array: NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
