"""What the Hub offers Spaces, and what that costs, as its documents said; docs/hosting.md says the
same, and a test compares them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from lmlab.hosting.space import STORAGE

ZERO = "zero-a10g"  # what the Hub's API calls ZeroGPU
AS_OF = "22 August 2026"
WHERE = "huggingface.co/docs/hub/spaces-overview and spaces-zerogpu"
FREE, PRO, TEAM = 2, 10, 50  # Spaces on ZeroGPU of an account or organisation
MINUTES = {"without an account": 2, "with a free account": 5, "with PRO or Team": 40}  # a day
AN_HOUR: Mapping[str, float] = MappingProxyType(  # US dollars
    {
        "cpu-upgrade": 0.03, "t4-small": 0.40, "t4-medium": 0.60, "l4x1": 0.80, "l4x4": 3.80,
        "l40sx1": 1.80, "l40sx4": 8.30, "l40sx8": 23.50, "a10g-small": 1.00, "a10g-large": 1.50,
        "a10g-largex2": 3.00, "a10g-largex4": 5.00, "a100-large": 2.50, "a100x4": 10.00,
        "a100x8": 20.00,
    }
)  # fmt: skip


def costs(hardware: str, bucket: str) -> list[str]:
    """What a Space on some hardware, with a bucket or without, costs by the Hub's documents, a line
    each, and where that stands."""
    minutes = ", ".join(f"{n} {k}" for k, n in MINUTES.items())
    if hardware == ZERO:
        hours = [
            f"Hardware {ZERO} (ZeroGPU): nothing. A personal account with a verified address and "
            f"older than 30 days may have {FREE} such Spaces, with PRO {PRO}, an organisation with "
            f"Team or Enterprise {TEAM}.",
            f"Visitors spend minutes of their own, a day: {minutes}.",
        ]
    elif hardware == "cpu-basic":
        hours = [
            "Hardware cpu-basic: nothing an hour, but to make such a Space takes a paid plan: PRO, "
            "Team or Enterprise."
        ]
    elif hardware in AN_HOUR:
        hours = [f"Hardware {hardware}: ${AN_HOUR[hardware]:.2f} an hour while it runs."]
    else:
        hours = [f"Hardware {hardware}: see huggingface.co/pricing#spaces for what it costs."]
    kept = (
        f"Storage: the bucket {bucket} at {STORAGE}, private; 100 GB of private storage come "
        "with a free account."
        if bucket
        else "Storage: the Space's own disk, which is empty after each start; --bucket keeps runs."
    )
    return [*hours, kept, f"So said {WHERE} on {AS_OF}."]
