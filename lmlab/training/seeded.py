"""Torch's one generator of random numbers, for one run at a time."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

_one = threading.Lock()


@contextmanager
def seeded(seed: int, devices: Sequence[torch.device] = ()) -> Iterator[None]:
    """Random numbers that follow from the seed, and those of others as if none had been drawn here;
    another run of this process waits, as it would draw from the same ones."""
    with _one, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
