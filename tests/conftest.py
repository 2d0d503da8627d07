"""Model folders for all tests, each made once; nothing here reaches the Hub."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["LMLAB_TRAIN_NICE"] = "0"  # tests side by side leave a run that stands back nothing
os.environ["LMLAB_CACHE_DIR"] = os.devnull  # no proof outlives a test that made it
# What is measured hangs on no machine's speed.
os.environ["LMLAB_MEASURE_SECONDS"] = os.environ["LMLAB_STUDY_SECONDS"] = "1e9"

import pytest

from lmlab.lab import Lab
from tests import folders, labs, outside


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many kinds of models the sweep found to run in which way, and which."""
    kinds: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, way in report.user_properties:
            if name == "run":
                kinds.setdefault(way, []).append(report.nodeid.split("[")[-1].rstrip("]"))
    for way, found in sorted(kinds.items()):
        terminalreporter.write_line(f"{len(found):4} {way}\n     {' '.join(sorted(found))}")


@pytest.fixture(scope="session")
def numbers() -> Iterator[outside.Numbers]:
    """``numbers(script)``: what a receipt prints in a process without lmlab, number by number."""
    yield from outside.running()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``folder(architecture, tokenizer)``: a small model in the real format."""
    root = tmp_path_factory.mktemp("models")

    def make(architecture: str = "llama", tokenizer: str = "bytelevel") -> Path:
        path = root / f"{architecture}-{tokenizer}"
        return path if path.exists() else folders.save(path, architecture, tokenizer)

    return make


@pytest.fixture(scope="session")
def broken(folder, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``broken(kind)``: a folder with one thing wrong."""
    root = tmp_path_factory.mktemp("broken")

    def make(kind: str) -> Path:
        path = root / kind
        return path if path.exists() else folders.save_broken(path, kind, folder())

    return make


@pytest.fixture(scope="session")
def lora_folder(folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter for ``folder("llama", "bytelevel-bos")``."""
    base = folder("llama", "bytelevel-bos")
    return folders.save_lora(tmp_path_factory.mktemp("lora"), base)


@pytest.fixture(scope="session")
def prompt_folder(folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A soft prompt for ``folder("llama", "bytelevel-bos")``."""
    base = folder("llama", "bytelevel-bos")
    return folders.save_prompt(tmp_path_factory.mktemp("prompt"), base)


@pytest.fixture(scope="session")
def misfit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter for a model of another width."""
    return folders.save_misfit(tmp_path_factory.mktemp("misfit"))


@pytest.fixture(scope="session")
def uniform_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds every token equally likely."""
    return folders.save_with_head(tmp_path_factory.mktemp("uniform"), 0.0)


@pytest.fixture(scope="session")
def nan_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose logits are not-a-number."""
    return folders.save_with_head(tmp_path_factory.mktemp("nan"), float("nan"))


@pytest.fixture(scope="session")
def suite(tmp_path_factory) -> Path:
    """``labs.suite``: small models by the names of the shipped ones."""
    return labs.suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="session")
def mock_lab(suite, tmp_path_factory) -> Iterator[Callable[..., Lab]]:
    """``mock_lab(**settings)``: a lab over mocks and small models, with runs of its own."""
    made: list[Lab] = []

    def make(**given: Any) -> Lab:
        made.append(labs.lab_of(suite, tmp_path_factory.mktemp("runs"), **given))
        return made[-1]

    yield make
    for lab in made:
        labs.clear(lab)
