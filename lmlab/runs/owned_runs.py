"""An owner's fine-tuning runs, as the page asks for them. Imports no torch."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lmlab.errors import InputError
from lmlab.runs.jobs import Jobs
from lmlab.runs.model_store import RUN, ModelRef, ModelStore
from lmlab.runs.room import check_disk
from lmlab.runs.store import UNSAVED, RunFolder, RunInfo, RunSpec, archive, fingerprint, handed_out
from lmlab.settings import Settings
from lmlab.training.events import TrainEvent


class Host(Protocol):
    """What runs belong to: the models that they begin from, the limits and the one queue."""

    @property
    def store(self) -> ModelStore: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def jobs(self) -> Jobs: ...


@dataclass(frozen=True)
class TuningRuns:
    """What can be asked about runs that there are; none of it tells one owner of another's."""

    lab: Host

    def _of(self, owner: str, run_id: str) -> RunFolder:
        """An owner's run.

        Raises:
            InputError: there is none of that id that belongs to the owner.
        """
        return self.lab.store.runs.of(owner, run_id)

    def recover(self) -> list[str]:
        """Take up the runs that a page which died has left; ids of those that go on or wait."""
        if not self.lab.settings.training:
            return []
        runs = self.lab.store.runs
        runs.set_aside()
        return self.lab.jobs.recover(runs.all())

    def warm(self) -> None:
        """Have a process ready, so that the next start is quick; returns at once."""
        if self.lab.settings.training:
            self.lab.jobs.warm()

    def read(self, owner: str, run_id: str, after: int = 0) -> list[TrainEvent]:
        """The events from number ``after`` on, counted from 0; returns at once (for a timer).

        A run that was killed has its log cut at its last checkpoint when it goes on, and then says
        the same again.
        """
        return self._of(owner, run_id).events(after)

    def events(
        self, owner: str, run_id: str, after: int = 0, wait: float = 1.0
    ) -> Iterator[TrainEvent | None]:
        """The events from number ``after`` on, as they come, until the run is over.

        Yields None when nothing has come for ``wait`` seconds, so that a page can look elsewhere.
        """
        return self.lab.jobs.events(self._of(owner, run_id), after, wait)

    def run(self, owner: str, run_id: str) -> RunInfo:
        """One run as a list shows it."""
        return self.lab.jobs.info(self._of(owner, run_id))

    def spec(self, owner: str, run_id: str) -> RunSpec:
        """What a run was asked to do."""
        return self._of(owner, run_id).spec

    def runs(self, owner: str) -> list[RunInfo]:
        """The owner's runs of this kind, newest first."""
        found = []
        for folder in self.lab.store.runs.owned(owner):
            with suppress(InputError):  # it may have been deleted just now
                found += [self.lab.jobs.info(folder)] if self._is_kind(folder.spec) else []
        return found

    def stop(self, owner: str, run_id: str) -> None:
        """Take a run from the queue, or let it end after its current step; what it learned is kept.

        Returns at once: the run's state tells when it has stopped.
        """
        self.lab.jobs.stop(self._of(owner, run_id))

    def resume(self, owner: str, run_id: str) -> None:
        """Queue a run again, to go on from its last checkpoint.

        Raises:
            InputError: all its steps are made, or it is under way.
        """
        self._check_allowed()
        folder = self._of(owner, run_id)
        info = self.lab.jobs.info(folder)
        if not info.is_over:
            raise InputError("This run is under way already.")
        if not info.can_resume:
            raise InputError("All steps of this run are made.", "Start another one.")
        self.lab.jobs.submit(folder)

    def delete(self, owner: str, run_id: str) -> None:
        """Stop a run and remove all it wrote."""
        folder = self._of(owner, run_id)
        self.lab.jobs.kill(folder)
        self.lab.store.runs.delete(folder)

    def archive(self, owner: str, run_id: str) -> Path:
        """As ``store.archive``."""
        return archive(self._of(owner, run_id))

    def push(self, owner: str, run_id: str, repo: str, token: str, *, private: bool = True) -> str:
        """Upload what was learned to the Hub with the visitor's own token; its address there. The
        base of an adapter goes along where the Hub has none: one that ships, or a run's.

        The token is used for this call alone: never stored, never logged, never in an error.

        Raises:
            InputError: a name or token that the Hub refuses, or nothing has been saved yet.
        """
        if self.lab.settings.offline or not self.lab.settings.allow_hub:
            raise InputError("The Hub is not asked here.", "Download the files instead.")
        from lmlab.runs.hub import check_repo, home_of, push

        check_repo(repo, token)
        run = self._of(owner, run_id)
        if (learned := run.learned) is None:
            raise InputError(*UNSAVED)
        home = ""
        if run.spec.config.is_adapter and (base := self._own_base(run)) is not None:
            name = run.spec.model
            # A run's id opens it, and is told nobody.
            home = home_of(base, "run" if name.startswith(RUN) else name, repo)
            push(base, home, token, private)
        with handed_out(run, learned, home) as made:
            return push(made, repo, token, private)

    def _own_base(self, run: RunFolder) -> Path | None:
        """The folder of a base that only this machine has, and that may be handed on."""
        ref, store = ModelRef.parse(run.spec.model), self.lab.store
        if store.ships(ref) or ref.name.startswith(RUN):
            return store.resolve(ref, lambda message: None)
        return None

    def _check_allowed(self) -> None:
        if not self.lab.settings.training:
            raise InputError(
                "Fine-tuning is switched off on this page.", "On a machine of your own it is on."
            )

    def _begin(self, owner: str, make: Callable[[], RunFolder], n_bytes: int) -> str:
        """Make a run's folder, which will take so many bytes, and queue it; its id. What fails
        leaves nothing.

        Raises:
            InputError: there are too many runs, or no room for another.
        """
        runs = self.lab.store.runs
        runs.tidy(self.lab.settings.keep_days)
        if len(runs.owned(owner)) >= (most := self.lab.settings.max_runs):
            raise InputError(
                f"You have {most} runs, those of fine-tuning and from nothing "
                "together; no more are kept.",
                "Delete some first.",
            )
        self.lab.jobs.check_room(fingerprint(owner))
        check_disk(runs, owner, n_bytes, self.lab.settings)
        folder = make()
        try:
            self.lab.jobs.submit(folder)
        except BaseException:
            with suppress(InputError):
                runs.delete(folder)
            raise
        return folder.path.name

    def _is_kind(self, spec: RunSpec) -> bool:
        """Whether a run is of the kind that is asked about: fine-tuning."""
        return spec.pretraining is None
