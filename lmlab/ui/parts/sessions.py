"""What the server keeps of a visitor's session, made small.

Gradio keeps a second copy of every component's settings for each session, for links that store
what was typed. This page has no such links (``lmlab.hosting.doors``); the copy is some 80 ms of
work for each visitor and most of what a session takes.
"""

from copy import copy
from typing import Any

from gradio import state_holder
from gradio.components import State


class Session(state_holder.SessionState):
    """One visitor's session: the values of its ``State`` and the components that changed."""

    def __init__(self, blocks: Any) -> None:
        # Not the base's: it is what makes the copies.
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, dict[str, Any]] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600

    def __setitem__(self, key: int, value: Any) -> None:
        if isinstance(self.blocks_config.blocks.get(key), State):
            super().__setitem__(key, value)
            self.config_values.clear()
        else:
            self.blocks_config.blocks[key] = value

    def _update_config(self, key: int) -> None:
        """Nothing is kept."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Nothing is kept."""


def use_small_sessions() -> None:
    """Have Gradio make sessions of this kind from here on."""
    state_holder.SessionState = Session  # type: ignore[misc]
