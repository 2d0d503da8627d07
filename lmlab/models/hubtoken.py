"""Whether the Hub is asked with the token that is stored on this machine.

A token opens what its owner may read. A page is asked by others too, by a link as well, so there it
is used only where its owner said so; commands and the library are asked by the owner alone.
"""

from lmlab.settings import Settings


def token_of(settings: Settings) -> bool | None:
    """What huggingface_hub takes as a token: None for the stored one, False for none."""
    return False if settings.hub_token is False else None


def gated_hint(token: bool | None) -> str:
    """What to do about a model that only some may read."""
    if token is False:
        return "Whoever runs this page can let it use the token that is stored: LMLAB_HUB_TOKEN."
    return "Accept its terms there and set HF_TOKEN."
