"""What a hosted copy needs. ``python -m lmlab.deployment`` prints requirements.txt for Spaces."""

import re
import tomllib
from pathlib import Path

# Spaces installs these itself, at the version that the README's front matter names.
PROVIDED = {"gradio", "spaces", "huggingface_hub"}
HEADER = "# Generated from pyproject.toml by `make requirements`; edit that instead.\n"


def requirements(pyproject: Path) -> str:
    """The text of requirements.txt: the project's dependencies less what Spaces provides."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    wanted = [line for line in project["dependencies"] if _name(line) not in PROVIDED]
    return HEADER + "".join(f"{line}\n" for line in wanted)


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match[0].lower().replace("-", "_") if match else ""


if __name__ == "__main__":
    print(requirements(Path(__file__).parent.parent / "pyproject.toml"), end="")
