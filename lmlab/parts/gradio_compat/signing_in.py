"""Signing in with Hugging Face, on a Space whose front matter says ``hf_oauth``: Gradio's button
and what it gives handlers."""

from gradio import OAuthToken, oauth, utils
from gradio.components import LoginButton

from lmlab.errors import InputError

__all__ = ["LoginButton", "OAuthToken", "can_sign_in", "token_of"]


def can_sign_in() -> bool:
    """Whether visitors of this page can sign in."""
    return utils.get_space() is not None and oauth.OAUTH_CLIENT_ID is not None


def token_of(visitor: OAuthToken | None) -> str:
    """The token that the Hub gave for a visitor, which is good for what the Space asked for.

    Raises:
        InputError: nobody is signed in.
    """
    if visitor is None:
        raise InputError("You are not signed in, or no longer.", "Sign in with Hugging Face first.")
    return visitor.token
