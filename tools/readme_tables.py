"""The tables of README.md: of tabs, from what each says of itself, and of the scenes that ship.

``python -m tools.readme_tables README.md`` writes each between its two marks.
"""

import sys
from pathlib import Path

from lmlab.features import features
from lmlab.page.scenes.course import shipped
from tools.marked import rewrite


def tabs_table() -> str:
    """One row for each tab, in Markdown."""
    rows = (f"| **{tab.title}** | {tab.about} |\n" for tab in features())
    return "| Tab | What it shows |\n|---|---|\n" + "".join(rows)


def scenes_table() -> str:
    """One row for each scene, in Markdown."""
    return "| | Scene | Part | Link |\n|---|---|---|---|\n" + "".join(
        f"| {number} | {scene.title} | {scene.part} | `?scene={scene.name}` |\n"
        for number, scene in enumerate(shipped(), start=1)
    )


TABLES = (
    ("<!-- tabs -->\n", "<!-- end of tabs -->", tabs_table),
    ("<!-- scenes -->\n", "<!-- end of scenes -->", scenes_table),
)


def main() -> None:
    """Write the tables into the file that is named."""
    for begin, end, table in TABLES:
        rewrite(Path(sys.argv[1]), begin, end, table())


if __name__ == "__main__":
    main()
