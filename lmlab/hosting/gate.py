"""Who is let in to the page at all: which names it answers to, whose word about a visitor is
believed, and that what is sent comes from the page itself. Stands outermost, before Gradio's own.

A name has to be known, as a page of another site can have its own name lead to this machine and
then read what it likes (DNS rebinding). An address has not: a browser that asks for one was led
there by nobody else.
"""

import ipaddress
import logging
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import psutil

from lmlab.hosting.asgi import App, Header, Receive, Scope, Send, header, peer, refuse
from lmlab.settings import Settings

log = logging.getLogger("lmlab")
# What a visitor could say of himself, or of the address that he asked for, to be believed.
SAID = ("x-forwarded-", "x-original-", "x-rewrite-", "x-gradio-")
SAID_ALSO = (b"forwarded", b"x-real-ip", b"x-scheme", b"x-http-method-override", b"x-client-ip")
OWN_NAMES = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::", "")
# A Space's proxy asks from inside, and nobody else can.
INSIDE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
          "fc00::/7", "::1/128")  # fmt: skip
SPACE_NAMES = ("*.hf.space",)
READING = ("GET", "HEAD", "OPTIONS")
# Asked by hosts, under any name; tells nothing that is not for everybody.
PUBLIC = ("/health", "/metrics")
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]{0,252}))(?::([0-9]{1,5}))?")
_PORTS = {"http": "80", "https": "443"}  # need not be named

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Site:
    """What a page is known by."""

    names: tuple[str, ...] = OWN_NAMES  # it answers to, ``*.example.org`` for all below; ``*``: any
    any_address: bool = False  # whether it answers to every address that leads to it
    proxies: tuple[Network, ...] = ()  # whose word about a visitor is believed

    def knows(self, name: str) -> bool:
        """Whether the page answers to a name or an address, which is without a port."""
        if any(fnmatchcase(name, known) for known in self.names):
            return True
        found = _address(name)
        return found is not None and (self.any_address or found.is_loopback)

    def trusts(self, address: str) -> bool:
        """Whether an address is one of the proxies'."""
        found = _address(address)
        return found is not None and any(found in network for network in self.proxies)


def site_of(settings: Settings, bound: str, environment: Mapping[str, str]) -> Site:
    """What a page is known by that listens on an address; the environment tells whether this is a
    Space, and its name."""
    names = [*OWN_NAMES, bound.lower().strip("[]"), *map(_name, settings.hosts)]
    if bound in EVERYWHERE:
        names += _machine()
    proxies: Iterable[str] = settings.proxies
    if "SPACE_ID" in environment:
        names += [*SPACE_NAMES, *environment.get("SPACE_HOST", "").lower().split(",")]
        proxies = proxies or INSIDE
    # In a container an address that leads here need not be one of the container's own.
    found = _address(bound)
    any_address = bound != "localhost" and not (found is not None and found.is_loopback)
    kept = tuple(dict.fromkeys(name for name in names if name not in EVERYWHERE))
    return Site(kept, any_address, tuple(_networks(proxies)))


def _name(given: str) -> str:
    """A name as it was meant, where it was given with a scheme or a port."""
    return re.sub(r"^\w+://|:\d+$|/+$", "", given.lower().rstrip("/"))


def _machine() -> list[str]:
    """The names and addresses of this machine."""
    name = socket.gethostname().lower()
    own = {name, name.split(".")[0], f"{name.split('.')[0]}.local"}
    for cards in psutil.net_if_addrs().values():
        own |= {card.address.split("%")[0].lower() for card in cards if _address(card.address)}
    return sorted(own)


def _networks(proxies: Iterable[str]) -> list[Network]:
    found: list[Network] = []
    for one in proxies:
        both = ("0.0.0.0/0", "::/0") if one == "*" else (one,)
        found += [ipaddress.ip_network(each, strict=False) for each in both]
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as one, without brackets, a port or a zone; None where it is a name."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].split("]")[0]
    elif text.count(":") == 1:
        text = text.split(":")[0]
    try:
        found = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


class Gate:
    """Lets a request in, without what it says of itself, or refuses it."""

    def __init__(self, app: App, site: Site) -> None:
        self.app = app
        self.site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        asked = self._believed(scope)
        name, port = _split(header(asked, b"host"))
        if not name or (not self.site.knows(name) and scope["path"] not in PUBLIC):
            shown = name[:80] or "that"
            log.warning("A request for the name ‘%s’ was refused; see LMLAB_HOSTS", shown)
            await refuse(send, 421, _UNKNOWN.format(shown))
        elif scope["method"] not in READING and not _own(asked, name, port):
            await refuse(send, 403, "Only the page itself may send this.")
        else:
            asked["headers"] = [pair for pair in asked["headers"] if pair[0] != b"origin"]
            await self.app(asked, receive, send)

    def _believed(self, scope: Scope) -> Scope:
        """A request as a trusted proxy tells it, else as it came; what was said is gone."""
        asked = {**scope, "headers": [pair for pair in scope["headers"] if not _said(pair)]}
        if not self.site.trusts(peer(scope)):
            return asked
        if host := _first(header(scope, b"x-forwarded-host")):
            others = [pair for pair in asked["headers"] if pair[0] != b"host"]
            asked["headers"] = [(b"host", host.encode("latin-1")), *others]
        if (scheme := _first(header(scope, b"x-forwarded-proto")).lower()) in _PORTS:
            asked["scheme"] = scheme
        given = [value for key, value in scope["headers"] if key == b"x-forwarded-for"]
        chain = b",".join(given).decode("latin-1").split(",") if given else []
        asked["client"] = (self._visitor(peer(scope), chain), 0)
        return asked

    def _visitor(self, nearest: str, chain: Sequence[str]) -> str:
        """The nearest address that is not a proxy's: each proxy adds whom it was asked by."""
        for said in reversed(chain):
            found = _address(said)
            if found is None:
                break
            nearest = str(found)
            if not self.site.trusts(nearest):
                break
        return nearest


def _said(pair: Header) -> bool:
    name = pair[0].decode("latin-1").lower()
    return name.startswith(SAID) or pair[0] in SAID_ALSO


def _first(text: str) -> str:
    return text.split(",")[0].strip()


def _split(host: str) -> tuple[str, str]:
    """(name, port) of a Host header or of an address with its scheme; empty where it is none.

    >>> _split("Example.org.:7860"), _split("[::1]"), _split("a b")
    (('example.org', '7860'), ('::1', ''), ('', ''))
    """
    found = _HOST.fullmatch(host.strip().lower())
    return (found[1].rstrip(".").strip("[]"), found[2] or "") if found else ("", "")


def _own(asked: Scope, name: str, port: str) -> bool:
    """Whether the page itself sends this, or no browser at all, as far as a browser tells."""
    site = header(asked, b"sec-fetch-site")
    if site:
        return site in ("same-origin", "none")
    origin = header(asked, b"origin")
    if not origin:
        return True
    from_name, from_port = _split(origin.partition("://")[2])
    usual = {"", *_PORTS.values()}
    return from_name == name and (from_port == port or {from_port, port} <= usual)


_UNKNOWN = (
    "This page does not answer to the name ‘{}’. Whoever runs it can let it: LMLAB_HOSTS, or "
    "--hosts, takes names between commas."
)
