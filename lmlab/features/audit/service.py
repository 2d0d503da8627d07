"""An audit as the page asks for it, within the settings' limits. Imports no torch before that."""

from collections.abc import Iterator
from dataclasses import dataclass

from lmlab.features.audit.results import Audit
from lmlab.lab import Lab, import_core
from lmlab.lent_gpu import SHORT, runs_models
from lmlab.models.refs import ModelRef
from lmlab.progress import Loading, Progress


@dataclass(frozen=True)
class Auditing:
    """What can be asked about the conventions of perplexity."""

    lab: Lab

    @runs_models("model", seconds=SHORT)
    def audit(
        self, model: str, text: str, context: int | None = None
    ) -> Iterator[Loading | Progress | Audit]:
        """Progress, then the audit; ``context`` is how many tokens are read at once, at most."""
        import_core()
        from lmlab.features.audit.auditing import iter_audit
        from lmlab.models.model import narrowed

        self.lab.check_length(text)
        most = self.lab.settings.max_tokens
        yield from self.lab.with_models(
            [ModelRef.parse(model)],
            lambda lms: iter_audit(narrowed(lms[0], context), text, most),
            results=True,
        )
