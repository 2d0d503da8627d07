"""``lmlab serve``: models over HTTP, as OpenAI's API has them."""

import argparse
import os
from typing import Any

from lmlab.errors import InputError


def add_serve(commands: Any) -> None:
    """Declare ``lmlab serve``."""
    serve = commands.add_parser(
        "serve",
        help="serve models over HTTP, as OpenAI's API has them",
        description="Answer /v1/completions, with scores of prompts as vLLM has them, "
        "/v1/chat/completions and /v1/models. See docs/serving.md.",
    )
    add = serve.add_argument
    add("--models", default="base", help="those served, with commas, as base,base+qa")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=8000)
    add("--key", metavar="VARIABLE", help="the variable that holds the key which callers send")
    serve.set_defaults(run=_serve)


def _serve(arguments: argparse.Namespace) -> None:
    from lmlab.settings import read_settings
    from lmlab.terminal.quiet import quiet

    settings, key = read_settings(), os.environ.get(arguments.key or "", "")
    if arguments.key and not key:
        raise InputError(f"The variable {arguments.key[:60]}, which holds the key, is not set.")
    names = [name.strip() for name in arguments.models.split(",") if name.strip()]
    quiet()
    import uvicorn

    from lmlab.hosting import logs
    from lmlab.hosting.bodies import Bodies
    from lmlab.hosting.desk import Desk
    from lmlab.hosting.gate import Gate, site_of
    from lmlab.hosting.openai import api
    from lmlab.hosting.requests import Card
    from lmlab.hosting.sigterm import end_politely
    from lmlab.runs.model_store import ModelStore

    logs.start(settings)
    desk = Desk(ModelStore(settings))
    cards = {}
    for name in names:
        with desk.store.borrow(name) as lm:
            cards[name] = Card(lm.vocabulary, lm.context)
    app = logs.RequestLog(Bodies(api(desk, settings, cards, key)))
    gate = Gate(app, site_of(settings, arguments.host, os.environ))
    print(f"Serving {', '.join(cards)} at http://{arguments.host}:{arguments.port}/v1", flush=True)
    end_politely()
    uvicorn.run(gate, host=arguments.host, port=arguments.port, log_level="warning")
