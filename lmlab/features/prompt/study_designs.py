"""What a click in the Prompt tab's lower half measures: designs from the form. Runs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmlab.errors import InputError
from lmlab.features.prompt import sheet as sheets
from lmlab.features.prompt import studies
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.sheet import MEASURED, Form, Sheet
from lmlab.features.prompt.studies import Design
from lmlab.lab import Lab
from lmlab.text.protocols import Protocol
from lmlab.text.rows import Row
from lmlab.text.sets import Dataset
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import wordings_like

FEW = 4  # shots of the one-click comparisons where there are no examples


@dataclass(frozen=True)
class Plan:
    """The Measure form's own values, in the order of ``prompt_measure.Inputs.values``."""

    kind: str
    shots: str
    models: Sequence[str]
    above: bool
    measured: Protocol

    @classmethod
    def read(
        cls, kind: str, shots: str, models: Sequence[str], above: bool, *counts: Any
    ) -> "Plan":
        """From the components' values."""
        return cls(kind, shots, models, above, MEASURED.read(*counts))

    def protocol(self, form: Form, shots: int) -> Protocol:
        """Shots, seed, draws, queries and way."""
        seed = Form.number(form.seed, "seed")
        return replace(self.measured, shots=shots, seed=seed, form=form.form)

    def numbers(self) -> list[int]:
        """The numbers of shots of a curve."""
        parts = [part.strip() for part in (self.shots or "").split(",") if part.strip()]
        if not parts or not all(part.isdecimal() and len(part) < 4 for part in parts):
            raise InputError("Shots are numbers with commas between.", "For instance 0, 1, 2, 4.")
        return [int(part) for part in parts]


@dataclass(frozen=True)
class Bench:
    """All that a study is made from."""

    lab: Lab  # the backend
    form: Form  # the design's values
    plan: Plan  # the Measure form's values
    sheet: Sheet  # the rows above
    model: str  # the first model
    second: str  # the one beside it

    def designs(self, kind: str) -> list[Design]:
        """What to measure.

        Raises:
            InputError: the form asks for what cannot be.
        """
        template = self.form.template(self.lab.service(Prompting))
        shots = len(self.sheet.examples)
        protocol = self.plan.protocol(self.form, shots)
        most = max(self.plan.numbers()) if kind == "shots" else shots
        shown = bool(most) or kind in ("few", "three", "order")
        data = self.form.dataset(self.lab.service(Prompting), template, shots=shown)
        if kind == "shots":
            numbers = self.plan.numbers()
            return studies.shots_study(self.model, template, data, protocol, numbers)
        if kind == "order":
            rows = self._above(template)
            return studies.order_study(self.model, template, data, protocol, rows or None)
        if kind in ("few", "three"):
            return self._few(template, data, protocol, kind)
        if kind == "wordings":
            wordings = [template, *wordings_like(template)]
            found = studies.templates_study(self.model, wordings, data, protocol)
        else:
            names = [self.model, *([self._second()] if kind == "tuned" else self.plan.models)]
            found = studies.models_study(names, template, data, protocol)
        return [replace(design, examples=self._sets(design.template)) for design in found]

    def _few(
        self, template: PromptTemplate, data: Dataset, protocol: Protocol, kind: str
    ) -> list[Design]:
        """Zero-shot, few-shot and, where asked for, a tuned model without examples."""
        few = replace(protocol, shots=protocol.shots or FEW)
        none = replace(protocol, shots=0)
        found = [
            Design("zero-shot", self.model, template, data, none),
            Design(f"{few.shots} shots", self.model, template, data, few, self._sets(template)),
        ]
        if kind == "three":
            second = self._second()
            wording = self.lab.service(Prompting).tuned(self.form.data)
            fits = wording is not None and wording.tuned == second
            own = wording if fits and wording is not None else template
            label = f"{second}, zero-shot" + (", own wording" if own.name != template.name else "")
            found.append(Design(label, second, own, data, none))
        return found

    def _second(self) -> str:
        if not self.second:
            raise InputError("No second model is chosen.", "Choose one beside the first.")
        return self.second

    def _sets(self, template: PromptTemplate) -> list[list[Row]] | None:
        """The examples above in place of drawn ones, where that is wanted and there are some."""
        rows = self._above(template) if self.plan.above else []
        return [rows] if rows else None

    def _above(self, template: PromptTemplate) -> list[Row]:
        """The examples above.

        Raises:
            InputError: one of them is not whole.
        """
        return sheets.solved(self.sheet.examples, template)
