"""Alternated timing: every contestant once a round, so that a noisy machine is noisy to all."""

import resource
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

Job = Callable[[], object]


@dataclass(frozen=True)
class Timed:
    """Median seconds of each contestant, and its ratio to the first."""

    seconds: dict[str, float]

    @property
    def ratios(self) -> dict[str, float]:
        """Each contestant's time over the first one's."""
        base = next(iter(self.seconds.values()))
        return {name: value / base for name, value in self.seconds.items()}


def alternate(jobs: Mapping[str, Job], rounds: int) -> Timed:
    """Run all jobs in turn ``rounds`` times after one warm-up round; medians."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - start)
    return Timed({name: statistics.median(values) for name, values in times.items()})


def peak_megabytes(job: Job) -> float:
    """How far the process's resident memory rises above its start while a job runs, in MB.

    Samples /proc every two milliseconds, so that short peaks can be missed; Linux only.
    """
    before, peak, done = _resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        job()
    finally:
        done.set()
        watcher.join()
    return max(0, peak - before) / 1e6


def peak_megabytes_apart(job: Job) -> float:
    """Peak resident memory, in MB, of a fresh process that runs a picklable job, libraries too."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_of, (job,))


def _peak_of(job: Job) -> float:
    job()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
