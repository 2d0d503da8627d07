"""What a click in the Prompt tab's lower half measures: designs from the form. Runs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmlab.errors import InputError
from lmlab.features.prompt import studies
from lmlab.features.prompt.service import Prompting
from lmlab.features.prompt.sheet import MEASURED, Form, Sheet
from lmlab.features.prompt.studies import Design
from lmlab.text.protocols import Protocol
from lmlab.text.rows import Row
from lmlab.text.templates import PromptTemplate
from lmlab.text.wordings import wordings_like

FEW = 4  # shots of the one-click comparisons where there are no examples


@dataclass(frozen=True)
class Plan:
    """The rows above, the design's form, and the Measure form's own values."""

    sheet: Sheet
    model: str
    second: str  # the model beside the first
    form: Form
    kind: str
    shots: str  # numbers of a curve
    models: Sequence[str]
    above: bool  # whether the rows above are the examples
    measured: Protocol

    @classmethod
    def read(cls, sheet: Sheet | None, model: str, second: str, *values: Any) -> "Plan":
        """From the components' values, in the order in which ``measure`` hands them over."""
        form, (kind, shots, models, above, *counts) = Form.first_of(values)
        measured = MEASURED.read(*counts)
        return cls(sheet or Sheet(), model, second, form, kind, shots, models, above, measured)

    def designs(self, prompts: Prompting, kind: str) -> list[Design]:
        """What to measure; an InputError says what cannot be."""
        template, shots = self.form.template(), len(self.sheet.examples)
        seed = Form.number(self.form.seed, "seed")
        protocol = replace(self.measured, shots=shots, seed=seed, form=self.form.form)
        numbers = self._numbers() if kind == "shots" else []
        shown = bool(max(numbers, default=shots)) or kind in ("few", "three", "order")
        data = self.form.dataset(template, shots=shown)
        design = Design("", self.model, template, data, protocol)
        if kind == "shots":
            return studies.shots_study(design, numbers)
        if kind == "order":
            return studies.order_study(design, self.sheet.solved(template) or None)
        if kind in ("few", "three"):
            return self._few(prompts, design, kind)
        if kind == "wordings":
            found = studies.templates_study(design, [template, *wordings_like(template)])
        else:
            names = [self._second()] if kind == "tuned" else self.models
            found = studies.models_study(design, [self.model, *names])
        return [replace(one, examples=self._sets(one.template)) for one in found]

    def _few(self, prompts: Prompting, design: Design, kind: str) -> list[Design]:
        """Zero-shot, few-shot and, where asked for, a tuned model without examples."""
        few = replace(design.protocol, shots=design.protocol.shots or FEW)
        none = replace(design, label="zero-shot", protocol=replace(few, shots=0))
        some = replace(design, label=f"{few.shots} shots", protocol=few)
        found = [none, replace(some, examples=self._sets(design.template))]
        if kind == "three":
            second, wording = self._second(), prompts.tuned(self.form.data)
            own = wording if wording is not None and wording.tuned == second else design.template
            label = f"{second}, zero-shot"
            label += ", own wording" if own.name != design.template.name else ""
            found.append(replace(none, label=label, model=second, template=own))
        return found

    def _numbers(self) -> list[int]:
        """The numbers of shots of a curve."""
        parts = [part.strip() for part in (self.shots or "").split(",") if part.strip()]
        if not parts or not all(part.isdecimal() and len(part) < 4 for part in parts):
            raise InputError("Shots are numbers with commas between.", "For instance 0, 1, 2, 4.")
        return [int(part) for part in parts]

    def _second(self) -> str:
        if not self.second:
            raise InputError("No second model is chosen.", "Choose one beside the first.")
        return self.second

    def _sets(self, template: PromptTemplate) -> list[Sequence[Row]] | None:
        """The examples above in place of drawn ones, where that is wanted and there are some."""
        rows = self.sheet.solved(template) if self.above else ()
        return [rows] if rows else None
