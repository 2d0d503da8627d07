"""Models over HTTP as OpenAI's API has them: its routes, its streams, its errors."""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse

from lmlab.errors import InputError, LabError
from lmlab.hosting.desk import Desk
from lmlab.hosting.requests import Card, Chat, ChatAsked, Completion, CompletionAsked, Piece
from lmlab.models.chat import has_chat, rendered
from lmlab.settings import Settings

log = logging.getLogger("lmlab")
WRONG = "Something went wrong."


def api(desk: Desk, settings: Settings, cards: Mapping[str, Card], key: str = "") -> FastAPI:
    """The app; with a key, callers have to send it."""
    app = FastAPI(title="lmlab", docs_url=None, redoc_url=None, openapi_url=None)
    for kind in (LabError, HTTPException, RequestValidationError, Exception):
        app.exception_handler(kind)(_refusal)
    wanted = f"Bearer {key}".encode()

    def caller(request: Request) -> str:
        sent = request.headers.get("authorization", "").encode()
        if key and not secrets.compare_digest(sent, wanted):
            raise HTTPException(401, "The key is missing or wrong.")
        return request.client.host if request.client else ""

    def card(name: str) -> Card:
        if desk.waiting >= settings.max_waiting:
            raise HTTPException(429, "Too many wait already.", {"retry-after": "1"})
        if name not in cards:
            raise HTTPException(404, f"The model ‘{name[:100]}’ is not served here.")
        return cards[name]

    @app.get("/v1/models")
    async def models(request: Request) -> dict[str, Any]:
        caller(request)
        own = {"object": "model", "created": 0, "owned_by": "lmlab"}
        data = [{"id": name, "max_model_len": one.context, **own} for name, one in cards.items()]
        return {"object": "list", "data": data}

    @app.post("/v1/completions")
    async def completions(request: Request, asked: CompletionAsked) -> Response:
        who, mine, given = caller(request), card(asked.model), asked.prompts
        if asked.stream and asked.prompt_logprobs is not None:
            raise InputError("prompt_logprobs come with a whole answer, not with a stream.")
        _check([one for one in given if isinstance(one, str)], settings.max_chars)
        prompts = [mine.ids(one) for one in given]
        return await _answer(request, Completion(desk, mine, asked, prompts), who)

    @app.post("/v1/chat/completions")
    async def chats(request: Request, asked: ChatAsked) -> Response:
        who, mine = caller(request), card(asked.model)
        if not has_chat(mine.vocabulary):
            raise InputError(f"‘{asked.model}’ has no chat template.", "Ask /v1/completions.")
        turns = [one.model_dump() for one in asked.messages]
        _check([one["content"] for one in turns], settings.max_chars)
        (text,) = await asyncio.to_thread(rendered, mine.vocabulary, [turns])
        ids = list(mine.vocabulary.checked(mine.vocabulary.ids(text)))
        return await _answer(request, Chat(desk, mine, asked, [ids]), who)

    return app


def _check(texts: Sequence[str], most: int) -> None:
    if sum(map(len, texts)) > most:
        raise InputError(f"At most {most:,} characters are read.", "Shorten it.")


async def _answer(request: Request, work: Completion, caller: str) -> Response:
    """The answer, whole or as a stream."""
    name = f"cmpl-{secrets.token_hex(12)}"
    head = {"id": name, "created": int(time.time()), "model": work.asked.model}
    if work.asked.stream:
        return StreamingResponse(_events(work, caller, head), media_type="text/event-stream")
    found: dict[int, Piece] = {}
    async with aclosing(work.pieces(caller)) as pieces:
        async for piece in pieces:
            if await request.is_disconnected():
                break
            found.setdefault(piece.index, Piece(piece.index)).add(piece)
    choices = [work.choice(found[index], whole=True) for index in sorted(found)]
    read, drawn = sum(map(len, work.prompts)), work.drawn_in(found.values())
    usage = {"prompt_tokens": read, "completion_tokens": drawn, "total_tokens": read + drawn}
    return JSONResponse({**head, "object": work.object, "choices": choices, "usage": usage})


async def _events(work: Completion, caller: str, head: dict[str, Any]) -> AsyncGenerator[str]:
    """Server-sent events; what fails on the way is the last but one."""
    head = {**head, "object": work.chunk}
    try:
        async with aclosing(work.pieces(caller)) as pieces:
            async for piece in pieces:
                yield _event({**head, "choices": [work.choice(piece, whole=False)]})
    except LabError as error:
        yield _event(_told(400, str(error)))
    except Exception:
        log.exception("A completion failed")
        yield _event(_told(500, WRONG))
    yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"


def _told(status: int, said: str) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": said, "type": kind, "param": None, "code": status}}


async def _refusal(request: Request, error: Exception) -> Response:
    """What cannot be done, in the form of OpenAI's errors."""
    status, said = (400, str(error)) if isinstance(error, LabError) else (500, WRONG)
    if isinstance(error, HTTPException):
        status, said = error.status_code, str(error.detail)
    elif isinstance(error, RequestValidationError):
        first = error.errors()[0]
        status, said = 400, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}"
    return JSONResponse(_told(status, said), status, getattr(error, "headers", None))
