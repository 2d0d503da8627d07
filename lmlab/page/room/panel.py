"""The room on the lecturer's page: a panel, which ``room.js`` fills and whose button it puts into
the lecture bar."""

from lmlab.parts.gradio_compat.building import Html


class RoomPanel(Html):
    """How phones come in; and, after a question, what they answered."""

    TEMPLATE = """
<section class="lm-roompanel" aria-label="Room" hidden></section>
<section class="lm-roomresult" aria-label="What the room answered" hidden></section>
"""
    MODULE = "page/room/room"
