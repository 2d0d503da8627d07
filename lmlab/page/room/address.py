"""Where phones reach the page, and why they cannot where they cannot."""

import ipaddress
import socket
from dataclasses import dataclass

import psutil

from lmlab.hosting.gate import EVERYWHERE, OWN_NAMES

AWAY = ("192.0.2.1", 9)  # an address of documentation, which is nobody's


@dataclass(frozen=True)
class Reach:
    """The page's address for phones; where there is none, why, and what to do."""

    address: str = ""
    why: str = ""


def reach(bound: str, port: int, asked: str = "", scheme: str = "http") -> Reach:
    """Where phones reach a page that listens on ``bound``.

    Args:
        bound: the address that it listens on.
        port: the port.
        asked: the Host header of the lecturer's own request; a name that leads from elsewhere to
            the page, through a proxy too, leads phones to it as well.
        scheme: of that request.
    """
    name = asked.rsplit(":", 1)[0].strip("[]").lower() if asked else ""
    if name and not _is_own(name):
        return Reach(f"{scheme}://{asked}")
    if _is_own(bound.strip("[]").lower()):
        return Reach(
            why="The page listens on this machine alone, so that no phone can reach it: start it "
            "with lmlab app --room, and without --host."
        )
    host = own_address() if bound in EVERYWHERE else bound
    if not host:
        return Reach(why="This machine is in no network: join the Wi-Fi that the phones are in.")
    return Reach(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def own_address() -> str:
    """This machine's address in its network; empty where it is in none. Sends nothing: a datagram's
    socket only asks the machine's own table of routes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(AWAY)
            found = str(asking.getsockname()[0])
        except OSError:
            found = ""
    if found and not _is_own(found):
        return found
    # A network that leads nowhere else, as a laptop's own hotspot.
    for cards in psutil.net_if_addrs().values():
        for card in cards:
            if card.family == socket.AF_INET and not _is_own(card.address):
                return str(card.address)
    return ""


def _is_own(name: str) -> bool:
    if name in OWN_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
