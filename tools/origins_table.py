"""The table of docs/origins.md: what in this repository came from where, under which licence.

``python -m tools.origins_table docs/origins.md`` writes it between its two marks, from the README
beside what ships; a folder of data without one, or whose README does not say, is an error.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from lmlab.assets import assets_dir
from tools.marked import rewrite

BEGIN, END = "<!-- origins -->\n", "<!-- end of origins -->"
HEADER = "| What | Licence | Origin |\n|---|---|---|\n"
OWN = ("Apache-2.0", "written for lmlab")  # LICENSE holds for all that says nothing else
DATA = (".jsonl", ".txt", ".safetensors")
TRAINED = "; trained on what its card names"


def origins() -> list[tuple[str, str, str]]:
    """(what, licence, origin) of each folder of the assets that has files."""
    root = assets_dir()
    folders = sorted({file.parent for file in root.rglob("*") if file.is_file()})
    rows = [row for folder in folders for row in _rows(folder, folder.relative_to(root).as_posix())]
    return list(dict.fromkeys(rows))


def _rows(folder: Path, name: str) -> Iterator[tuple[str, str, str]]:
    if not any(file.suffix in DATA for file in folder.iterdir()):
        if not any((parent / "README.md").is_file() for parent in (folder, folder.parent)):
            yield f"assets/{name}", *OWN
        return
    near = (one / "README.md" for one in (folder, folder.parent))
    readme = next((one for one in near if one.is_file()), None)
    if readme is None:
        raise ValueError(f"assets/{name} has no README.md that says where it comes from.")
    what = f"assets/{readme.parent.relative_to(assets_dir()).as_posix()}"
    card = readme.read_text(encoding="utf-8")
    licence, origin = _said(card, "Licence"), _said(card, "Origin")
    if licence and origin:
        yield what, licence, origin
    elif what.startswith("assets/models/"):
        named = re.search(r"^license: (\S+)$", card, re.M)
        model = named[1].replace("apache", "Apache") if named else OWN[0]
        yield what, f"{model}{TRAINED}", f"[its card](../{what}/README.md)"
    else:
        yield from _each(what, card)


def _each(what: str, card: str) -> Iterator[tuple[str, str, str]]:
    """Of a README that has a line a part: ‘- part: where from; licence’."""
    for part, text in re.findall(r"^- (.+?): (.+(?:\n  .+)*)", card, re.M):
        told = " ".join(text.split())
        licence = next((one for one in LICENCES if one.lower() in told.lower()), None)
        if licence is None:
            raise ValueError(f"The README of {what} names no licence of ‘{part}’.")
        yield f"{what}: {part.strip('`')}", licence, re.split(r"[;:.]", told)[0]


LICENCES = ("CDLA-Sharing-1.0", "CC BY-SA 3.0", "CC BY 4.0", "public domain", "Apache-2.0")


def _said(card: str, name: str) -> str:
    found = re.search(rf"^\*\*{name}:\*\* (.+(?:\n(?!\n).+)*)", card, re.M)
    return " ".join(found[1].split()).rstrip(".") if found else ""


def origins_table() -> str:
    """The table in Markdown."""
    return HEADER + "".join(f"| {' | '.join(row)} |\n" for row in origins())


def main() -> None:
    """Write the table into the file that is named."""
    rewrite(Path(sys.argv[1]), BEGIN, END, origins_table())


if __name__ == "__main__":
    main()
