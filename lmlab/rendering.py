"""From template blocks and rows to text: in this process for blocks that ship with lmlab, else in a
child process with limits on time, memory and output.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmlab import renderworker
from lmlab.errors import InputError

# Wall-clock seconds for the child; its processor time is limited far below.
PATIENCE = 10.0

Values = Mapping[str, Any]
Job = tuple[str, Values]
Span = tuple[int, int]
Chat = tuple[str, list[Span]]


class RenderError(InputError):
    """A block that cannot be rendered."""

    job: int = -1  # which of the jobs, from 0; −1 where that is not known
    row: Mapping[str, str] | None = None  # that the job was made for


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders blocks."""

    trusted: bool = False  # whether the blocks ship with lmlab

    def render(self, blocks: Mapping[str, str], jobs: Sequence[Job]) -> list[str]:
        """The text of each job (block, values), in order.

        Raises:
            RenderError: an undefined name, a syntax error, something unsafe, too long or too slow.
        """
        request = {"blocks": dict(blocks), "jobs": [(block, dict(v)) for block, v in jobs]}
        texts: list[str] = self._answer(request)["texts"]
        return texts

    def search(self, pattern: str, texts: Sequence[str]) -> list[Span | None]:
        """Where a pattern matches first in each text: its first group, else all of it."""
        spans = self._answer({"pattern": pattern, "texts": list(texts)})["spans"]
        return [None if span is None else (span[0], span[1]) for span in spans]

    def chats(
        self,
        form: str,
        chats: Sequence[Sequence[Mapping[str, str]]],
        names: Mapping[str, Any],
        *,
        opens: bool = True,
    ) -> list[Chat]:
        """Every chat, turns with ``role`` and ``content``, in the form of a tokenizer's template,
        with the spans inside of ``{% generation %}``.

        Args:
            form: the template, as transformers' tokenizers have it.
            names: what the template may insert besides: the special tokens.
            opens: whether the beginning of the model's turn follows.
        """
        turns = [list(one) for one in chats]
        found = self._answer({"form": form, "chats": turns, "names": dict(names), "opens": opens})
        spans = [[(low, high) for low, high in marked] for marked in found["marked"]]
        return list(zip(found["texts"], spans, strict=True))

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        response = renderworker.answer(request) if self.trusted else _in_child(request)
        if "error" in response:
            raise _as_input_error(response)
        return response


def _in_child(request: dict[str, Any]) -> dict[str, Any]:
    """Ask a fresh interpreter that has nothing but the request."""
    # Strings that are no valid text are refused elsewhere; ASCII JSON carries them all the same.
    text = json.dumps(request)
    path = os.pathsep.join(part for part in sys.path if part)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-s", str(Path(renderworker.__file__))],
            input=text,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    except subprocess.TimeoutExpired:
        return {"error": "slow", "what": "", "block": ""}
    if done.returncode != 0:
        memory = "MemoryError" in done.stderr
        return {"error": "large" if memory else "slow", "what": "", "block": ""}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _as_input_error(response: Mapping[str, Any]) -> RenderError:
    """The sentence for each kind of failure."""
    block = f"The template’s {response['block']}" if response["block"] else "The template"
    what = response["what"]
    sentences = {
        "long": (
            f"{block} renders to more than {renderworker.PIECE:,} characters.",
            "Shorten it, or take shorter rows.",
        ),
        "unsafe": (f"{block} uses what templates may not use.", "Insert fields as {{ name }}."),
        "undefined": (f"{block} uses a field that the row does not have: {what}.", ""),
        "syntax": (f"{block} is not valid: {what}.", "Fields stand as {{ name }}."),
        "large": (f"{block} asks for more memory than it may have.", "Make it simpler."),
        "slow": (f"{block} takes too long.", "Make it simpler."),
        "other": (f"{block} cannot be rendered: {what}.", ""),
    }
    error = RenderError(*sentences[response["error"]])
    error.job = response.get("job", -1)
    return error
