"""Coroutines in tests: a browser's tests leave an event loop running in their thread."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The coroutine's result, from a loop in a thread of its own."""
    return apart(asyncio.run, coroutine)


def apart(function: Callable[..., Any], *given: Any) -> Any:
    """What a function gives in a thread of its own, where it may have a loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *given).result()
