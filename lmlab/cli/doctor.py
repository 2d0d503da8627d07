"""``lmlab doctor``: whether this machine is ready for the lecture."""

import argparse
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from lmlab.page.scenes.ready import Ready
    from lmlab.runs.model_store import ModelStore

NOT_READY = 1  # the exit status where a scene would not run
PORT = 7860
SENTENCE = "The cat sat on the mat."
VERSIONS = ("lmlab", "torch", "transformers", "gradio")


@dataclass(frozen=True)
class Model:
    """A model that could be asked."""

    name: str
    here: bool
    memory_gb: float | None  # None where nobody knows it yet
    why_not: str = ""  # why it would not load, where it is here or would not fit
    get: str = ""  # the command that fetches it
    download_gb: float | None = None
    licence: str = ""
    good: str = ""  # what it is good for
    gated: bool = False
    tried: str = ""  # what came of trying it


def add_doctor(commands: Any) -> None:
    """Declare ``lmlab doctor``."""
    doctor = commands.add_parser(
        "doctor",
        help="say whether this machine is ready for the lecture",
        description="Device, memory and disk, which models are here and work without a network, "
        "which scenes would run, and the command that mends what would not. Asks nobody and loads "
        f"no model. Exit status {NOT_READY}: a scene would not run "
        "and has no stored result.",
    )
    add = doctor.add_argument
    add("--scenes", metavar="FOLDER", help="scenes of a course of one's own; default: LMLAB_SCENES")
    add("--port", type=int, default=PORT, help="of the page")
    add("--try", dest="tried", action="store_true", help="load every model and score a sentence")
    add("--json", action="store_true", help="print one JSON object")
    doctor.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from lmlab.terminal.quiet import quiet, quiet_hub, write_json

    quiet_hub()
    if not 1 <= arguments.port <= 65535:
        raise InputError(f"{arguments.port} is no port.", "From 1 to 65535.")
    from lmlab.runs.model_store import ModelStore
    from lmlab.settings import read_settings

    store = ModelStore(read_settings(scenes=arguments.scenes))
    scenes, models = _scenes(store), [*_models(store)]
    if arguments.tried:
        quiet()
        models = _try(store, models)
    broken = any(one.lacks and not one.stored for one in scenes) or any(
        one.tried.startswith("!") for one in models
    )
    found = {
        "ready": not broken,
        "machine": _machine(store),
        "port": {"number": arguments.port, "free": _is_free(arguments.port)},
        "models": [asdict(one) for one in models],
        "scenes": [{**asdict(one), "runs": not one.lacks} for one in scenes],
    }
    if arguments.json:
        write_json(found)
    else:
        _print(found, models, scenes)
    return NOT_READY if broken else 0


def _machine(store: "ModelStore") -> dict[str, Any]:
    """Device, threads, gigabytes of memory and disk."""
    import psutil
    import torch

    from lmlab.models.devices import device_of, dtype_of
    from lmlab.models.hub import cache_dir

    folder = next(one for one in (cache_dir(), *cache_dir().absolute().parents) if one.is_dir())
    memory, device = psutil.virtual_memory(), device_of(store.settings)
    cuda = device.type == "cuda"
    return {
        "versions": {name: version(name) for name in VERSIONS},
        "device": device.type,
        "device_name": torch.cuda.get_device_name() if cuda else "",
        "dtype": str(dtype_of(store.settings)).removeprefix("torch."),
        "cores": os.cpu_count(),
        "threads": store.settings.threads or torch.get_num_threads(),
        "memory_gb": _gb(memory.total),
        "memory_free_gb": _gb(memory.available),
        "models_memory_gb": _gb(store.budget),
        "largest_model_gb": _gb(store.largest),
        "models_folder": str(cache_dir()),
        "disk_free_gb": _gb(shutil.disk_usage(folder).free),
        "offline": store.settings.offline,
    }


def _scenes(store: "ModelStore") -> "list[Ready]":
    from lmlab.features import features
    from lmlab.page.scenes.course import course, shipped
    from lmlab.page.scenes.ready import ready

    settings = store.settings
    tabs = {one.name: one for one in features(settings.features)}
    shown = {key: one for key, one in tabs.items() if key in (settings.tabs or tabs)}
    scenes = course(settings.scenes) if settings.scenes else shipped(shown.values())
    return ready(store, scenes, shown)


def _models(store: "ModelStore") -> Iterator[Model]:
    """The embedded ones, those that the settings list, those of the Hub that are offered."""
    from lmlab.models.backends import scheme
    from lmlab.models.devices import width_of
    from lmlab.models.known import known
    from lmlab.models.refs import ModelRef
    from lmlab.page.scenes.ready import getting, lack, memory_of

    about, width = {one.name: one for one in known()}, width_of(store.settings)
    others = [name for name in store.settings.listed if scheme(name)]
    for name in (*store.embedded(), *others, *store.on_hub()):
        here, one = store.is_here(name), about.get(name)
        need = memory_of(store, ModelRef(name)) if here and not scheme(name) else None
        if need is None and one is not None:
            need = one.memory(width)
        why = lack(store, name) if here else None
        told = why.why if why else ""
        if not here and need and need > store.largest:
            told = f"it needs {_gb(need)} GB, a model may take {_gb(store.largest)} GB"
        yield Model(
            name, here, _gb(need) if need else None, told, "" if here else getting(store, name),
            one.download if one else None, one.licence if one else "", one.good if one else "",
            bool(one and one.gated),
        )  # fmt: skip


def _try(store: "ModelStore", models: Sequence[Model]) -> list[Model]:
    """Every model that is here, loaded, and a sentence scored with it."""
    from dataclasses import replace
    from math import isfinite

    from lmlab.errors import LabError
    from lmlab.scoring.score import score
    from lmlab.terminal.watched import waiting

    found = []
    offline = type(store)(store.settings.model_copy(update={"offline": True}))
    for one in models:
        if one.here:
            try:
                with waiting(f"Trying {one.name} …") as say, offline.borrow(one.name, say) as lm:
                    value = score(lm, SENTENCE).perplexity
                said = f"perplexity {value:.1f}" if isfinite(value) else "! no number came out"
            except LabError as error:
                said = f"! {error}"
            one = replace(one, tried=said)
        found.append(one)
    return found


def _is_free(port: int) -> bool:
    """Whether the page could listen there."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _gb(size: float) -> float:
    return float(f"{size / 1e9:.2g}")


def _print(found: dict[str, Any], models: Sequence[Model], scenes: "Sequence[Ready]") -> None:
    from lmlab.terminal.listing import plain_console

    console, machine = plain_console(), found["machine"]
    _print_machine(console, machine, found["port"])
    _print_models(console, models)
    bad = [one for one in scenes if one.lacks]
    console.print(f"\nscenes: {len(scenes) - len(bad)} of {len(scenes)} would run", markup=False)
    for scene in bad:
        kept = ": shows the result that is stored with it" if scene.stored else ""
        console.print(f"  ✗ {scene.title} ({scene.name}){kept}", markup=False)
        for one in scene.lacks:
            console.print(f"      {one.why}  {one.mend}".rstrip(), markup=False)
    said = "Ready, also without a network." if found["ready"] else "Not ready."
    console.print(f"\n{said}", markup=False)


def _print_machine(console: "Console", machine: dict[str, Any], port: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    versions = ", ".join(f"{name} {one}" for name, one in machine["versions"].items())
    taken = "" if port["free"] else ": taken; the page takes the next free one, or lmlab app --port"
    device = " ".join(filter(None, (machine["device"], machine["device_name"])))
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("versions", versions),
        ("device", f"{device}, {machine['dtype']}, {machine['threads']} threads on "
         f"{machine['cores']} cores"),
        ("memory", f"{machine['memory_free_gb']:g} of {machine['memory_gb']:g} GB free; models "
         f"may take {machine['models_memory_gb']:g} GB"),
        ("disk", f"{machine['disk_free_gb']:g} GB free in {machine['models_folder']}"),
        ("port", f"{port['number']}{taken}"),
        ("offline", "LMLAB_OFFLINE: the Hub is not asked" if machine["offline"] else "no"),
    ):  # fmt: skip
        table.add_row(Text(name, style="dim"), Text(value))
    console.print(table)


def _print_models(console: "Console", models: Sequence[Model]) -> None:
    from rich.table import Table
    from rich.text import Text

    tried = any(one.tried for one in models)
    heads = ("here", "GB in memory", "", *(["tried"] if tried else []))
    table = Table(box=None, header_style="dim")
    table.add_column("model", overflow="fold")
    for head in heads:
        table.add_column(head)
    for one in models:
        facts = [one.good, one.licence, "gated" if one.gated else ""]
        size = f"{one.download_gb:g} GB to fetch" if one.download_gb and not one.here else ""
        told = one.why_not or ", ".join(filter(None, [*facts, size]))
        need = f"{one.memory_gb:g}" if one.memory_gb else ""
        row = [one.name, "✓" if one.here and not one.why_not else "–", need, told, one.tried]
        table.add_row(*map(Text, row[: len(heads) + 1]))
    console.print()
    console.print(table)
    if get := next((one.get for one in models if one.get), ""):
        console.print(f" What is not here comes with its name, as in: {get}", markup=False)
