"""A chat in a cell: a JSON list of turns, each with a role and a content. Text only."""

import json

MODEL = "assistant"

Turns = tuple[tuple[str, str], ...]


def turns_before_answer(cell: str) -> Turns:
    """(role, content) of each turn before the model's last; empty where the cell holds no chat.

    >>> turns_before_answer('[{"role": "user", "content": "Hi"}]')
    (('user', 'Hi'),)
    """
    try:
        turns = [(str(turn["role"]), str(turn["content"])) for turn in json.loads(cell)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()
    last = max((at for at, (role, _) in enumerate(turns) if role == MODEL), default=len(turns))
    return tuple(turns[:last])
