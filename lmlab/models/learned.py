"""What a folder of lmlab's says about how it was tuned. Knows no torch."""

import json
from pathlib import Path
from typing import Any

from lmlab.models.forms import Form, form_named

FILE = "lmlab.json"
_RUN = "run.json"


def note_form(folder: Path, form: Form) -> None:
    """Have a folder of weights or of an adapter say in which form it was tuned."""
    text = json.dumps({"form": form}, indent=2) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")


def learned_form(folder: Path | None) -> Form | None:
    """The form in which a folder's weights or adapter were tuned; None where nobody says.

    Folders from before this was written beside them lie in a run's folder, or in a run's archive,
    and all of those were tuned in the plain form.
    """
    if folder is None:
        return None
    if said := form_named(_read(folder / FILE).get("form")):
        return said
    for place in (folder, folder.parent, folder.parent.parent):
        config = _read(place / _RUN).get("config")
        if isinstance(config, dict) and "method" in config:
            return form_named(config.get("form", "plain"))
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
