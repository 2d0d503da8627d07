"""What the Change tab is given: every ΔW, one matrix in full, and the rank knife's ends."""

import pytest

from lmlab.errors import LabError
from lmlab.features.change import weight_views
from lmlab.features.change.changes import Changes, Knifed, MatrixView
from lmlab.features.change.service import Changing, KnifeTexts
from lmlab.lab import Lab
from lmlab.settings import Settings


@pytest.fixture(scope="module")
def changes():
    return Lab.open(Settings(offline=True)).service(Changing)


def last(steps, kind):
    return [step for step in steps if isinstance(step, kind)][-1]


def test_every_matrix_of_an_adapter_and_one_in_full(changes):
    found = last(changes.weights("base", "base+german"), Changes)
    assert all(0 < one.relative < 1 for one in found.matrices)
    wanted = max(found.matrices, key=lambda one: one.relative)
    view = last(changes.matrix("base", "base+german", wanted.name), MatrixView)
    assert view.change == wanted
    assert view.v.shape == (wanted.shape[0], wanted.rank)
    assert view.u.shape == (wanted.rank, wanted.shape[1])
    assert len(view.spectrum) == min(wanted.shape)
    assert list(view.spectrum) == sorted(view.spectrum, reverse=True)
    assert view.w.shape == view.delta.shape == wanted.shape


def test_the_knife_begins_at_the_base_and_ends_at_the_tuned_model(changes):
    on = KnifeTexts(data="german", general="Once upon a time.", rows=6)
    done = last(changes.knife("base", "base+german", on), Knifed)
    assert done.is_done
    assert done.ranks[0] == 0
    assert abs(done.gap) < 1e-5
    # The base against itself is refused, so the end at 0 is compared with another adapter's.
    other = next(
        step
        for step in changes.knife("base", "base+sentiment", on)
        if isinstance(step, Knifed) and step.points
    )
    assert done.points[0] == other.points[0]
    assert done.points[-1].task < done.points[0].task


@pytest.mark.parametrize(
    ("base", "tuned"), [("base", "base"), ("base", "small"), ("base", "base+nothing")]
)
def test_models_that_do_not_belong_together_are_refused(changes, base, tuned):
    with pytest.raises(LabError):
        list(changes.weights(base, tuned))


def test_a_soft_prompt_changes_no_weight_and_is_told_so(changes):
    steps = list(changes.weights("base", "base+qa-prompt"))
    assert not any(isinstance(step, Changes) for step in steps)
    assert type(steps[-1]).__name__ == "Unchanged"


def test_texts_that_are_too_long_are_refused(changes):
    with pytest.raises(LabError, match="at most"):
        list(changes.knife("base", "base+german", KnifeTexts(task="x" * 10**6)))


def test_what_is_offered_beside_a_base_says_how_it_came_about(changes):
    kinds = {one.name: one.kind for one in changes.tuned("base")}
    assert list(kinds.values()) == ["adapter"] * 6 + ["tuned"]
    assert kinds["base+sentiment"] == "adapter"
    assert kinds["qa"] == "tuned"
    assert [(one.name, one.kind) for one in changes.tuned("qa")] == [("base", "parent")]
    steps = {one.name.rpartition("-")[2]: one.kind for one in changes.tuned("base-steps/step-55")}
    assert (steps["384"], steps["8"], steps["small"]) == ("later", "earlier", "alike")
    assert next(iter(steps)) == "106"
    assert changes.tuned("elsewhere/model") == []


def test_a_vector_has_no_spectrum_and_the_figure_says_so(changes):
    found = last(changes.weights("base", "qa"), Changes)
    vector = next(one for one in found.matrices if len(one.shape) == 1)
    view = last(changes.matrix("base", "qa", vector.name), MatrixView)
    figure = weight_views.spectra(view)
    assert len(figure.data) == 0
    assert figure.layout.annotations[0].text == "A vector has no singular values."
    assert view.w.shape == (1, vector.shape[0])
