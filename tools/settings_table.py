"""The table of settings in docs/hosting.md, made from the settings class.

``python -m tools.settings_table docs/hosting.md`` writes it between its two marks.
"""

import sys
from pathlib import Path
from typing import Any

from lmlab.settings import PUBLIC, Settings
from tools.marked import rewrite

BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->"
HEADER = "| Variable | Default | Public page | |\n|---|---|---|---|\n"


def settings_table() -> str:
    """One row for each setting, in Markdown."""
    rows = []
    for name, field in Settings.model_fields.items():
        public = _shown(PUBLIC[name]) if name in PUBLIC else ""
        told = f"{field.description}".replace("|", "\\|")
        rows.append(
            f"| `LMLAB_{name.upper()}` | {_shown(field.get_default())} | {public} | {told} |\n"
        )
    return HEADER + "".join(rows)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value) or "none"
    return f"`{value:,g}`" if isinstance(value, int | float) else f"`{value}`"


def main() -> None:
    """Write the table into the file that is named."""
    rewrite(Path(sys.argv[1]), BEGIN, END, settings_table())


if __name__ == "__main__":
    main()
