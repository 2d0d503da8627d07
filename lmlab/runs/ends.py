"""How runs ended whose processes did not say so, also where the disk has no room for it."""

from dataclasses import replace

from lmlab.runs.store import RunFolder, RunInfo


class Ends:
    """Written into the run's state, else kept in memory until the disk has room."""

    def __init__(self) -> None:
        self._unsaid: dict[str, str] = {}

    def failed(self, folder: RunFolder, why: str) -> bool:
        """Write that a run failed, and why; whether the disk took it."""
        try:
            folder.set_state("failed", message=why)
        except OSError:
            self._unsaid[folder.path.name] = why
            return False
        self.forget(folder)
        return True

    def forget(self, folder: RunFolder) -> None:
        """A run begins anew, or is gone."""
        self._unsaid.pop(folder.path.name, None)

    def shown(self, folder: RunFolder, info: RunInfo) -> RunInfo:
        """A run as it is, that nobody trains, with what the disk may have had no room for."""
        why = self._unsaid.get(folder.path.name)
        if why is None:
            return info
        if self.failed(folder, why):
            return folder.info()
        return replace(info, state="failed", place=None, message=why)
