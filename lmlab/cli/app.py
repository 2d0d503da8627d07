"""``lmlab app``: the page, with a flag for each of its settings."""

import argparse
from typing import Any

from lmlab.errors import InputError
from lmlab.runs.owned_runs import TuningRuns


def add_app(commands: Any) -> None:
    """Declare ``lmlab app``."""
    app = commands.add_parser(
        "app",
        help="open the page",
        description="Open the page. Each setting has a flag here and a variable LMLAB_NAME; the "
        "flag goes first.",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    app.add_argument("--host", default="127.0.0.1", help="address to listen on")
    app.add_argument("--port", type=int, help="default: 7860 or the next free one")
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
    from lmlab.page.app import launch

    logs.start(settings)
    lab = Lab.open(settings)
    lab.service(TuningRuns).recover()
    end_politely()
    try:
        launch(lab, host=arguments.host, port=arguments.port)
    except OSError as error:
        if "empty port" not in str(error):
            raise
        raise InputError(
            f"Port {arguments.port or 7860} of {arguments.host} is taken.", "Name another --port."
        ) from None
