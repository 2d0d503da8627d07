"""The compact state of a run under way, small enough to be committed: it lets another machine go
on with nothing but the repository and the corpus.

    python -m recipes.state --shape base

packs the last checkpoint of the work folder into ``recipes/state``, in place of what is there. It
may be called at any moment, also while the run goes on. Weights and momenta are rounded to
bfloat16; snapshots are kept as float8, norms as bfloat16, and transformers reads both.
"""

import argparse
import json
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from recipes.batches import Ids
from recipes.config import DEFAULT_STATE, DEFAULT_WORK, SHAPES
from recipes.textio import write_text

META, PARTS = "state.json", "parts.json"
CURVES = ("losses.jsonl", "valid.jsonl")
FIRST_SNAPSHOT = 512
"""Those before it are made again within minutes by a run from step 0."""
README = """# state

The state of a pre-training run that is under way, not a model to use: packed by
`python -m recipes.state`, read by `python -m recipes.pretrain --state recipes/state`. Weights and
momenta are in bfloat16, snapshots of earlier steps in float8. Each packing replaces the one before;
when the run is finished and its models ship, this folder goes. `../README.md` says how to go on.
"""


def main() -> None:
    """Packs the last checkpoint, and says how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="base")
    options = parser.parse_args()
    run = options.work / "runs" / options.shape
    pack(run, options.state, options.shape, options.work / "tokenizer")
    size = sum(file.stat().st_size for file in options.state.rglob("*") if file.is_file())
    print(f"{options.state}: step {step(options.state)}, {size / 1e6:.1f} MB")


def pack(run: Path, folder: Path, shape: str, tokenizer: Path) -> None:
    """The checkpoint of ``run``, its curves and its snapshots; the folder is replaced whole, but
    for snapshots from machines before this one.
    """
    kept = torch.load(run / "checkpoint.pt", weights_only=True, map_location="cpu")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(tokenizer, partial / "tokenizer")
    save_file(_narrow(_untied(kept["model"])), partial / "weights.safetensors")
    for i, opt in enumerate(kept["opts"]):
        save_file(_narrow(_tensors(opt)), partial / f"momenta-{i}.safetensors")
    for snapshot in sorted(run.glob("step-*")):
        if int(snapshot.name.split("-")[1]) >= FIRST_SNAPSHOT:
            weights = load_file(snapshot / "model.safetensors")
            save_file(eighths(weights), partial / f"{snapshot.name}.safetensors")
    for file in folder.glob("step-*.safetensors"):
        if not (partial / file.name).exists():
            shutil.copy(file, partial)
    for name in (*CURVES, PARTS):
        if (run / name).exists():
            shutil.copy(run / name, partial)
    settings = [_settings(opt) for opt in kept["opts"]]
    meta = {"step": kept["step"], "shape": shape, "optimisers": settings}
    write_text(partial / META, json.dumps(meta, indent=1) + "\n")
    write_text(partial / "README.md", README)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def step(folder: Path) -> int:
    """The step of a packed state; -1 where there is none."""
    file = folder / META
    return int(json.loads(file.read_text(encoding="utf-8"))["step"]) if file.exists() else -1


def unpack(folder: Path, run: Path, shape: str) -> dict[str, Any]:
    """A checkpoint as the run wrote it, but for the rounding; the curves go into the run's folder.

    Raises:
        SystemExit: the state is that of another shape.
    """
    meta = json.loads((folder / META).read_text(encoding="utf-8"))
    if meta["shape"] != shape:
        raise SystemExit(f"The state in {folder} is that of {meta['shape']}, not of {shape}.")
    weights = _wide(load_file(folder / "weights.safetensors"))
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    opts = []
    for i, settings in enumerate(meta["optimisers"]):
        tensors = _wide(load_file(folder / f"momenta-{i}.safetensors"))
        states: dict[int, dict[str, Any]] = {}
        for name, value in tensors.items():
            index, key = name.split(".")
            states.setdefault(int(index), {})[key] = value
        for index, numbers in settings["numbers"].items():
            states.setdefault(int(index), {}).update(
                {k: torch.tensor(v) for k, v in numbers.items()}
            )
        opts.append({"state": states, "param_groups": settings["param_groups"]})
    for name in CURVES:
        if (folder / name).exists():
            shutil.copy(folder / name, run)
    return {"step": meta["step"], "model": weights, "opts": opts}


def same_parts(parts: Mapping[str, Ids], run: Path, folder: Path | None) -> None:
    """Writes what the parts hold beside the run; an error if a part is not what the run, or the
    state that it goes on from, has read so far."""
    now = {name: [len(ids), zlib.crc32(ids.tobytes())] for name, ids in parts.items()}
    for known in (run / PARTS, *([folder / PARTS] if folder else [])):
        before = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
        changed = [name for name in before if name in now and before[name] != now[name]]
        if changed:
            raise SystemExit(
                f"Not what the run has read so far: {', '.join(changed)}. Make them again with "
                "recipes.corpus and recipes.tokenizer from the same corpus and the same recipe."
            )
    write_text(run / PARTS, json.dumps(now, indent=1) + "\n")


def eighths(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices in eight bits a number; vectors, which are few, in sixteen."""
    return {
        name: value.to(torch.float8_e4m3fn if value.ndim > 1 else torch.bfloat16).contiguous()
        for name, value in weights.items()
    }


def _untied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if name != "lm_head.weight"}


def _narrow(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.to(torch.bfloat16).contiguous() for name, value in tensors.items()}


def _wide(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.float() for name, value in tensors.items()}


def _tensors(opt: dict[str, Any]) -> dict[str, Tensor]:
    """Momenta by ``index.name``; single numbers are settings."""
    return {
        f"{index}.{name}": value
        for index, found in opt["state"].items()
        for name, value in found.items()
        if isinstance(value, Tensor) and value.ndim
    }


def _settings(opt: dict[str, Any]) -> dict[str, Any]:
    numbers = {
        str(index): {
            name: float(value)
            for name, value in found.items()
            if not isinstance(value, Tensor) or not value.ndim
        }
        for index, found in opt["state"].items()
    }
    return {"numbers": numbers, "param_groups": opt["param_groups"]}


if __name__ == "__main__":
    main()
