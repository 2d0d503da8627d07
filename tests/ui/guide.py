"""The tab that CONTRIBUTING.md makes, as its section says."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A file's name in the text, then its block.
BLOCK = re.compile(r"`order/([\w./-]+)`(?:(?!```).)*?\n```\w+\n(.*?)```", re.DOTALL)


def made(folder: Path) -> Path:
    """A folder of features, in it the one of the guide."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## A tab in ten minutes")[1].split("\n## ")[0]
    for name, content in BLOCK.findall(section):
        path = folder / "order" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder
