"""What a hosted copy needs. ``python -m lmlab.deployment`` prints requirements.txt for Spaces, and
``python -m lmlab.deployment constraints`` the versions that are installed here, for an image.
"""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

# Spaces installs these itself, at the version that the README's front matter names.
PROVIDED = {"gradio", "spaces", "huggingface_hub"}
# ZeroGPU had torch 2.8.0, 2.9.1, 2.10.0 and 2.11.0 when that was looked up (docs/hosting.md).
ZERO = {"torch": "torch>=2.8,<2.12"}
# What Gradio needs where visitors sign in (``hf_oauth``); without it the page would not start.
SIGNING_IN = ("authlib>=1.3,<2", "itsdangerous>=2.2,<3")
HEADER = "# Generated from pyproject.toml by `make requirements`; edit that instead.\n"
PINNED = "# Generated from what is installed by `make constraints`: the versions of an image.\n"


def requirements(pyproject: Path) -> str:
    """The text of requirements.txt: the project's dependencies, within what ZeroGPU runs, less what
    Spaces provides."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    wanted = [line for line in project["dependencies"] if _name(line) not in PROVIDED]
    lines = [*(ZERO.get(_name(line), line) for line in wanted), *SIGNING_IN]
    return HEADER + "".join(f"{line}\n" for line in sorted(lines))


def constraints(pyproject: Path) -> str:
    """The text of constraints.txt: the versions of all that the dependencies bring here."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    wanted, found = [_name(line) for line in project["dependencies"]], dict[str, str]()
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # needed on another system only
        # Without what tells builds of one version apart: the CPU's torch is ‘2.9.0+cpu’.
        found[name] = package.version.split("+")[0]
        wanted += [_name(line) for line in package.requires or [] if "extra ==" not in line]
    lines = (f"{name.replace('_', '-')}=={version}\n" for name, version in sorted(found.items()))
    return PINNED + "".join(lines)


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match[0].lower().replace("-", "_") if match else ""


if __name__ == "__main__":
    pyproject = Path(__file__).parent.parent / "pyproject.toml"
    made = constraints if sys.argv[1:] == ["constraints"] else requirements
    print(made(pyproject), end="")
