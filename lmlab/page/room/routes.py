"""The room over HTTP: the phones' page, what they and the lecturer send, and what changes as
server-sent events. Plain routes, which stand before all of Gradio's.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lmlab.errors import DiskError, InputError, LabError
from lmlab.hosting.guests import place
from lmlab.page.room.address import reach
from lmlab.page.room.limits import Buckets
from lmlab.page.room.rooms import Act, NoRoomError, OverError, Rooms, Shown, StrangerError

LARGEST = 20_000  # bytes of a call
STREAMS = 1_000  # of one address: a hall may stand behind one
PAUSE = 0.25  # seconds in which changes become one event
BEAT = 15.0  # seconds without an event after which a line keeps the connection open
RETRY = 2_000  # milliseconds after which a browser asks again for events
STATUS: Mapping[type[LabError], int] = MappingProxyType(
    {NoRoomError: 404, StrangerError: 403, OverError: 409, DiskError: 507}
)
# How often each may ask: (at once, a second).
PHONE, SEAT, OPENING = (15, 2.0), (60, 10.0), (10, 1 / 60)
PLAYING = (5, 0.2)  # texts
ADDRESS, JOINING = (1_500, 20.0), (600, 3.0)  # a whole hall may stand behind one


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Joining(_Sent):
    phone: str = Field("", max_length=40)


class Answer(_Sent):
    phone: str = Field(max_length=40)
    question: int
    round: int
    value: Annotated[float, Field(strict=True)] | Annotated[str, Field(max_length=60)]


class Doing(_Sent):
    secret: str = Field(max_length=100)
    act: Act = "look"
    scene: Shown | None = None
    truth: float | None = Field(None, allow_inf_nan=False)


class Playing(_Sent):
    secret: str = Field(max_length=100)
    text: str = Field(max_length=500)


class Served:
    """The routes over some rooms.

    Args:
        rooms: what they ask.
        page: the phones' page.
        bound: the address that the server listens on.
        prepare: makes a text ready to be guessed; see ``game.prepared``.
    """

    def __init__(
        self, rooms: Rooms, page: str, bound: str, prepare: Callable[[str], dict[str, Any]]
    ) -> None:
        self.prepare = prepare
        self.rooms = rooms
        self.page = page
        self.bound = bound
        self.buckets = Buckets()
        self._streams: Counter[str] = Counter()

    def app(self) -> Starlette:
        """The app, for all paths below ``/room``."""
        room = "/room/api/{code}"
        routes = [
            Route("/room", self.phone),
            Route("/room/", self.phone),
            Route("/room/{code}", self.phone),
            Route("/room/api/open", self.open, methods=["POST"]),
            Route(f"{room}/join", self.join, methods=["POST"]),
            Route(f"{room}/answer", self.answer, methods=["POST"]),
            Route(f"{room}/do", self.do, methods=["POST"]),
            Route(f"{room}/play", self.play, methods=["POST"]),
            Route(f"{room}/table", self.table, methods=["POST"]),
            Route(f"{room}/events", self.events),
        ]
        wrong: Any = {LabError: _refused, ValidationError: _refused, _SlowError: _slowed}
        return Starlette(routes=routes, exception_handlers=wrong)

    async def phone(self, request: Request) -> Response:
        """The phones' page; the room's code stands in its address alone."""
        return HTMLResponse(self.page, headers={"cache-control": "no-store"})

    async def open(self, request: Request) -> Response:
        """A new room, and where phones find it."""
        await _body(request)
        self._slow("open", _address(request), OPENING)
        code, secret = self.rooms.open()
        return JSONResponse({"code": code, "secret": secret, **self._way(request, code)})

    def _way(self, request: Request, code: str) -> dict[str, str]:
        server = request.scope.get("server") or ("", 80)
        host, scheme = request.headers.get("host", ""), request.url.scheme
        found = reach(self.bound, int(server[1] or 80), host, scheme)
        if not found.address:
            return {"why": found.why}
        import segno

        root = str(request.scope.get("root_path", "")).rstrip("/")
        address = f"{found.address}{root}/room/{code}"
        code_drawn = segno.make(address, error="m", micro=False)
        return {"address": address, "qr": code_drawn.svg_data_uri(scale=8, border=3, light="white")}

    async def join(self, request: Request) -> Response:
        """A phone comes."""
        given, code = Joining.model_validate_json(await _body(request)), _code(request)
        self._slow_phone(request, code, given.phone, JOINING)
        return JSONResponse(self.rooms.join(code, given.phone))

    async def answer(self, request: Request) -> Response:
        """A phone answers."""
        given, code = Answer.model_validate_json(await _body(request)), _code(request)
        self._slow_phone(request, code, given.phone, ADDRESS)
        self.rooms.answer(code, given.phone, given.question, given.round, given.value)
        return JSONResponse({"value": given.value})

    async def do(self, request: Request) -> Response:
        """The lecturer goes on."""
        given, code = Doing.model_validate_json(await _body(request)), _code(request)
        self._sit(request, code, given.secret)
        found = self.rooms.do(code, given.secret, given.act, given.scene, given.truth)
        way = self._way(request, code) if given.act == "look" else {}
        return JSONResponse({**found, **way})

    async def play(self, request: Request) -> Response:
        """The room guesses a text, word by word."""
        given, code = Playing.model_validate_json(await _body(request)), _code(request)
        self._sit(request, code, given.secret)
        self._slow("play", code, PLAYING)
        game = await asyncio.to_thread(self.prepare, given.text)
        return JSONResponse(self.rooms.play(code, given.secret, game))

    async def table(self, request: Request) -> Response:
        """All answers, as CSV."""
        given, code = Doing.model_validate_json(await _body(request)), _code(request)
        self._sit(request, code, given.secret)
        return Response(self.rooms.table(code, given.secret), media_type="text/csv; charset=utf-8")

    async def events(self, request: Request) -> Response:
        """What everybody may see, whenever it changes; with ``?n`` how many there are as well."""
        code, address = _code(request), _address(request)
        self._slow("address", address, ADDRESS)
        counted = "n" in request.query_params
        self.rooms.told(code)
        if self._streams[address] >= STREAMS:
            raise _SlowError(RETRY / 1000)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        lines = self._lines(code, counted, address)
        return StreamingResponse(lines, media_type="text/event-stream", headers=headers)

    async def _lines(self, code: str, counted: bool, address: str) -> AsyncGenerator[str]:
        self._streams[address] += 1
        last = ""
        try:
            yield f"retry: {RETRY}\n\n"
            while True:
                event = self.rooms.event(code)
                try:
                    text = json.dumps(self.rooms.told(code, counted))
                except NoRoomError:
                    yield "event: over\ndata: {}\n\n"
                    return
                yield f"data: {text}\n\n" if text != last else ": here\n\n"
                last = text
                try:
                    await asyncio.wait_for(event.wait(), BEAT)
                    await asyncio.sleep(PAUSE)
                except TimeoutError:
                    pass
        finally:
            self._streams[address] -= 1
            if not self._streams[address]:
                del self._streams[address]

    def _slow_phone(
        self, request: Request, code: str, phone: str, others: tuple[float, float]
    ) -> None:
        # A phone that was let in is slowed by itself; all that were not, by where they ask from.
        if self.rooms.knows(code, phone):
            self._slow("phone", phone, PHONE)
        else:
            self._slow(f"address {others}", _address(request), others)

    def _sit(self, request: Request, code: str, secret: str) -> None:
        try:
            self.rooms.seat(code, secret)
        except InputError:
            self._slow("address", _address(request), ADDRESS)
            raise
        self._slow("seat", code, SEAT)

    def _slow(self, kind: str, caller: str, allowed: tuple[float, float]) -> None:
        if waits := self.buckets.wait(kind, caller, *allowed):
            raise _SlowError(waits)


class _SlowError(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def _code(request: Request) -> str:
    return str(request.path_params["code"]).upper()


def _address(request: Request) -> str:
    return place(request.client.host if request.client else "")


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            raise InputError("That is more than is read at once.")
    return body


async def _refused(request: Request, error: Exception) -> Response:
    said, status = "This call cannot be understood.", 422
    if isinstance(error, LabError):
        said, status = str(error), STATUS.get(type(error), 422)
    return JSONResponse({"detail": said}, status)


async def _slowed(request: Request, error: Exception) -> Response:
    seconds = error.seconds if isinstance(error, _SlowError) else 1.0
    headers = {"retry-after": str(max(1, round(seconds)))}
    return JSONResponse({"detail": "That was too much at once: wait a little."}, 429, headers)
