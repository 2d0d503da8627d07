"""What the fake lab answers about changes of weights."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FakeChanging:
    """Answers what ``lmlab.change.service.Changing`` answers."""

    def tuned(self, base: str) -> list[str]:
        return ["base-early"] if base == "base" else []
