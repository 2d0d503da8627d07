"""Known vulnerabilities of pinned packages, asked of OSV (https://osv.dev).

``python -m tools.audit constraints.txt`` ends with status 1 where there are some, and with
0 and a line that says so where OSV cannot be reached.
"""

import json
import sys
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ADDRESS = "https://api.osv.dev/v1/querybatch"
SECONDS = 30

Ask = Callable[[dict[str, Any]], dict[str, Any]]
Pin = tuple[str, str]


def pins(text: str) -> list[Pin]:
    """(name, version) of each line ``name==version``.

    >>> pins("# made\\nnumpy==2.4.6\\n")
    [('numpy', '2.4.6')]
    """
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    found = [line.partition("==") for line in lines if "==" in line]
    return [(name.strip(), version.strip()) for name, _, version in found]


def known(wanted: Sequence[Pin], ask: Ask) -> dict[Pin, list[str]]:
    """The ids of what is known about each package that something is known about."""
    queries = [
        {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
        for name, version in wanted
    ]
    results = ask({"queries": queries})["results"]
    found = {
        pin: [one["id"] for one in result.get("vulns", ())]
        for pin, result in zip(wanted, results, strict=True)
    }
    return {pin: ids for pin, ids in found.items() if ids}


def ask_osv(query: dict[str, Any]) -> dict[str, Any]:
    """OSV's answer to a batch of queries.

    Raises:
        OSError: it cannot be reached.
    """
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(ADDRESS, json.dumps(query).encode(), headers)
    with urllib.request.urlopen(request, timeout=SECONDS) as answered:
        value: dict[str, Any] = json.load(answered)
        return value


def main(path: str, ask: Ask = ask_osv) -> int:
    """Ask about a file of pins; the exit status."""
    wanted = pins(Path(path).read_text(encoding="utf-8"))
    try:
        found = known(wanted, ask)
    except OSError as error:
        print(f"{len(wanted)} packages were not audited: OSV cannot be reached ({error}).")
        return 0
    for (name, version), ids in found.items():
        print(f"{name} {version}: {', '.join(ids)}")
    print(f"{len(wanted)} packages audited, {len(found)} with known vulnerabilities.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
