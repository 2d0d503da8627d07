"""The table of scenes in README.md, made from the scenes that ship.

``python -m tools.scenes README.md`` writes it between its two marks.
"""

import sys
from pathlib import Path

from lmlab.page.scenes.course import shipped
from tools.marked import rewrite

BEGIN, END = "<!-- scenes -->\n", "<!-- end of scenes -->"
HEADER = "| | Scene | Part | Link |\n|---|---|---|---|\n"


def scenes_table() -> str:
    """One row for each scene, in Markdown."""
    return HEADER + "".join(
        f"| {number} | {scene.title} | {scene.part} | `?scene={scene.name}` |\n"
        for number, scene in enumerate(shipped(), start=1)
    )


def main() -> None:
    """Write the table into the file that is named."""
    rewrite(Path(sys.argv[1]), BEGIN, END, scenes_table())


if __name__ == "__main__":
    main()
