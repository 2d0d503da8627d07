"""The form in which a wording meets a model: plain text, or the turns of its chat template; and in
which form a folder's weights or adapter were tuned. Knows no torch.
"""

import json
from pathlib import Path
from typing import Any, Literal, get_args

Form = Literal["plain", "chat"]

FORMS: tuple[Form, ...] = get_args(Form)
SAID: dict[str, str] = {"plain": "plain form", "chat": "chat form"}
FILE = "lmlab.json"
_RUN = "run.json"


def form_named(value: object) -> Form | None:
    """A form by its name; None for anything else.

    >>> form_named("chat"), form_named("")
    ('chat', None)
    """
    return next((form for form in FORMS if form == value), None)


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
