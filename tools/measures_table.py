"""The table of docs/measures.md, made from the measures.

``python -m tools.measures_table docs/measures.md`` writes it between its two marks.
"""

import sys
from pathlib import Path

from lmlab.measures import measures
from tools.marked import rewrite

BEGIN, END = "<!-- measures -->\n", "<!-- end of measures -->"
HEADER = "| Measure | Formula | Unit | Column in CSV | |\n|---|---|---|---|---|\n"


def measures_table() -> str:
    """One row for each measure, in Markdown."""
    rows = (
        [one.label, f"`{_plain(one.formula)}`", one.unit or "–", f"`{one.name}`", one.about]
        for one in measures()
    )
    return HEADER + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _plain(formula: str) -> str:
    return formula.replace("_{", "_").replace("}", "").replace("|", "\\|")


def main() -> None:
    """Write the table into the file that is named."""
    rewrite(Path(sys.argv[1]), BEGIN, END, measures_table())


if __name__ == "__main__":
    main()
