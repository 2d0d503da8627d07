"""What the Hub says no to when something is sent there: sentences, which never hold a token."""

from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from lmlab.errors import InputError

LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN, with a token that may write."
BROKEN = ("TransportError", "ConnectionError", "TimeoutError")
AGAIN = "Try again: what has come whole is not sent a second time."


def refused(error: Exception, name: str, *, kept: str = "", paid: str = "") -> InputError:
    """The sentence for what huggingface_hub raised.

    What the library says may hold the request, and so the token: of that nothing is quoted.

    Args:
        name: what was to be made or written.
        kept: what is not lost where the connection broke; a sentence.
        paid: what costs nothing, where something else costs.
    """
    state = _state(error)
    if isinstance(error, LocalTokenNotFoundError) or state == 401:
        return InputError("The Hub knows no valid token of yours.", LOG_IN)
    if state == 402:
        return InputError(f"The Hub makes ‘{name}’ for a paid plan only.", paid)
    if state == 403 and "storage" in _words(error):
        return InputError(
            f"The storage of the account that ‘{name}’ belongs to is full.",
            "Remove what is not needed there, or see huggingface.co/docs/hub/storage-limits.",
        )
    if state == 403:
        return InputError(
            f"This account, or its token, may not write to ‘{name}’.",
            "Take a name of your own, or a token that may write there.",
        )
    if state == 404:
        return InputError(f"The Hub has no ‘{name}’ that this account may see.")
    if state == 409:
        return InputError(f"The name ‘{name}’ is taken.", "Take another one.")
    if state == 429:
        return InputError("The Hub takes no more requests from here for now.", "Try again later.")
    if state and state < 500:
        return InputError(f"The Hub did not take ‘{name}’ ({state}).", "Look at its name.")
    if state or _broke(error):
        return InputError(f"The connection to the Hub broke. {kept}".strip(), AGAIN)
    # Whatever else it is: its kind alone.
    said = f"The Hub did not take ‘{name}’ ({type(error).__name__}). {kept}".strip()
    return InputError(said, f"{AGAIN} {LOG_IN}")


def _chain(error: BaseException) -> list[BaseException]:
    found = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) is not None and len(found) < 9:
        found.append(cause)
    return found


def _state(error: Exception) -> int | None:
    """The status of the answer; huggingface_hub wraps what a large file met in another error."""
    found = [one for one in _chain(error) if isinstance(one, HfHubHTTPError)]
    return int(found[0].response.status_code) if found else None


def _words(error: Exception) -> str:
    found = [one.server_message for one in _chain(error) if isinstance(one, HfHubHTTPError)]
    return " ".join(one or "" for one in found).lower()


def _broke(error: Exception) -> bool:
    # By its name: huggingface_hub's transport is httpx in one version, httpx2 in the next.
    kinds = [kind for one in _chain(error) for kind in type(one).__mro__]
    return any(kind.__name__ in BROKEN for kind in kinds)
