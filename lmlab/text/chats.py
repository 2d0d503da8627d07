"""Chats in a table: what was said before the last answer, and that answer, as columns of their own,
so that a template can ask for them.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from lmlab.errors import InputError
from lmlab.text.records import Chat, Record
from lmlab.text.rows import MAX_CELL, Faults, is_chat, said

MESSAGES = "messages"
COLUMNS = (MESSAGES, "conversations", "conversation", "chat")
PROMPT, ANSWER = "prompt", "answer"
MODEL = "assistant"
Turns = tuple[tuple[str, str], ...]
# Other names of who speaks (ShareGPT and the like).
ROLES = (("human", "user"), ("gpt", MODEL), ("bot", MODEL), ("model", MODEL), ("chatgpt", MODEL))


def with_chats(rows: Iterable[Record], faults: Faults) -> Iterator[Record]:
    """The same rows. Where one holds a chat, ‘prompt’ is all before the last answer, a line a turn
    (‘User: …’), and ‘answer’ is that answer; the chat itself becomes ‘messages’, a list of
    {role, content}.

    Raises:
        InputError: a chat without an answer, or with something in it that is no text.
    """
    for row in rows:
        column = _column(row)
        if column is None:
            yield row
            continue
        try:
            turns = [_turn(turn) for turn in json.loads(row[column])]
            last = _last(turns)
            plain = "\n".join(f"{t['role'].capitalize()}: {t['content']}" for t in turns[:last])
            if len(plain) > MAX_CELL:
                raise InputError(f"the chat has more than {MAX_CELL:,} characters.")
        except InputError as error:
            faults.take(InputError(f"{said(row.place)}: {error.message}", error.hint))
            continue
        cells = {
            **{name: value for name, value in row.items() if name != column},
            MESSAGES: Chat(json.dumps(turns, ensure_ascii=False)),
            PROMPT: plain,
            ANSWER: turns[last]["content"],
        }
        yield Record(cells, row.place)


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


def _column(row: Record) -> str | None:
    """The column that holds a chat, those with the usual names first."""
    names: tuple[str, ...] = (*COLUMNS, *row)
    for name in names:
        value = row.get(name, "")
        if isinstance(value, Chat) or (name in COLUMNS and _spells_chat(value)):
            return name
    return None


def _spells_chat(text: str) -> bool:
    """Whether a cell of CSV holds a chat in JSON."""
    if not text.lstrip().startswith("[{"):
        return False
    try:
        return bool(is_chat(json.loads(text)))
    except (ValueError, RecursionError):
        return False


def _turn(turn: dict[str, Any]) -> dict[str, str]:
    role = str(turn.get("role") or turn.get("from") or "").strip().lower()
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        content = "".join(str(part.get("text", "")) for part in content)
    if not role:
        raise InputError("a turn of the chat says not who speaks.", "Give it a role.")
    if not isinstance(content, str):
        raise InputError("a turn of the chat holds no text.", "Tool calls are not read.")
    return {"role": dict(ROLES).get(role, role), "content": content}


def _last(turns: list[dict[str, str]]) -> int:
    """Which turn is the last answer."""
    found = [i for i, turn in enumerate(turns) if turn["role"] == MODEL and turn["content"].strip()]
    if not found or found[-1] == 0:
        raise InputError("the chat has no answer.", "A turn of the assistant follows another.")
    return found[-1]
