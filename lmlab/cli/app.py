"""``lmlab app``: the page, with a flag for each of its settings."""

import argparse
from typing import TYPE_CHECKING, Any

from lmlab.errors import InputError
from lmlab.runs.owned_runs import TuningRuns

if TYPE_CHECKING:
    from lmlab.lab import Lab


def add_app(commands: Any) -> None:
    """Declare ``lmlab app``."""
    app = commands.add_parser(
        "app",
        help="open the page",
        description="Open the page. Each setting has a flag here and a variable LMLAB_NAME; the "
        "flag goes first.",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    app.add_argument("--host", help="address to listen on; default: 127.0.0.1")
    app.add_argument("--port", type=int, help="default: 7860 or the next free one")
    app.add_argument(
        "--room",
        action="store_true",
        help="let phones in: listen in the network too, where without --host they get the room\n"
        "and nothing else of the page, and say which address they reach",
    )
    app.set_defaults(run=_app)
    given = app.add_argument_group("settings")
    for name, (told, is_switch) in _settings().items():
        flag = f"--{name.replace('_', '-')}"
        if is_switch:
            action = argparse.BooleanOptionalAction
            given.add_argument(flag, action=action, default=None, help=told)
        else:
            given.add_argument(flag, metavar="X", help=told)


def _settings() -> dict[str, tuple[str, bool]]:
    """What can be set: {name: (what it is, whether it is a yes or no)}."""
    from lmlab.settings import Settings

    return {
        name: (
            (field.description or "").replace("%", "%%"),
            field.annotation in (bool, bool | None),
        )
        for name, field in Settings.model_fields.items()
    }


def _app(arguments: argparse.Namespace) -> None:
    from lmlab.settings import Settings, read_settings

    settings = read_settings(**{name: getattr(arguments, name) for name in Settings.model_fields})
    from lmlab.hosting import logs
    from lmlab.hosting.sigterm import end_politely
    from lmlab.lab import Lab
    from lmlab.page.app import build_page

    logs.start(settings)
    lab = Lab.open(settings)
    lab.service(TuningRuns).recover()
    end_politely()
    _serve(build_page(lab), lab, arguments)


def _serve(page: Any, lab: "Lab", arguments: argparse.Namespace) -> None:
    from lmlab.page.app import serve

    alone = arguments.room and not arguments.host
    host = arguments.host or ("0.0.0.0" if alone else "127.0.0.1")
    where = {"host": host, "port": arguments.port}
    try:
        serve(page, lab, **where, room_alone=alone, prevent_thread_lock=True)
    except OSError as error:
        if "empty port" not in str(error):
            raise
        raise InputError(
            f"Port {arguments.port or 7860} of {host} is taken.", "Name another --port."
        ) from None
    if arguments.room:
        print(_told(host, page.server_port, lab.settings.rooms), flush=True)
    page.block_thread()


def _told(host: str, port: int, rooms: bool) -> str:
    """Where phones reach the room, or why they do not."""
    from lmlab.page.room.address import reach

    if not rooms:
        return "No phone reaches a room: the setting LMLAB_ROOMS, or --no-rooms, forbids rooms."
    found = reach(host, port)
    if not found.address:
        return f"No phone reaches the room. {found.why}"
    return (
        f"Phones reach the room at {found.address}/room/ in the same network. Open the page here, "
        "press Lecture, then Room."
    )
