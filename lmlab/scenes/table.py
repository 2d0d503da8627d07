"""The table of scenes in README.md, made from the scenes that ship.

``python -m lmlab.scenes.table README.md`` writes it between its two marks.
"""

import sys
from pathlib import Path

from lmlab.scenes.course import shipped

BEGIN, END = "<!-- scenes -->\n", "<!-- end of scenes -->"
HEADER = "| | Scene | Part | Link |\n|---|---|---|---|\n"


def scenes_table() -> str:
    """One row for each scene, in Markdown."""
    return HEADER + "".join(
        f"| {number} | {scene.title} | {scene.part} | `?scene={scene.name}` |\n"
        for number, scene in enumerate(shipped(), start=1)
    )


def written(document: str) -> str:
    """A document with the table as it is now between the two marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, rest = document.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}{scenes_table()}{END}{after}"


def main() -> None:
    """Write the table into the file that is named."""
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
