"""One model of options a form: flags, widgets and sentences come from its fields."""

import argparse
import math
from dataclasses import replace
from typing import Annotated, Literal

import pytest
from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from lmlab.errors import InputError
from lmlab.options import CHECKED, Checked, Option, add_flags, given, read
from lmlab.parts.forms import Controls


@dataclass(frozen=True, config=CHECKED)
class Tea(Checked):
    minutes: Annotated[float, Field(ge=0, le=9), Option("Minutes", "0: water", step=0.5)] = 3.0
    cups: Annotated[int | None, Field(ge=1, le=50), Option("Cups", id="n", high=8)] = 2
    kind: Annotated[Literal["green", "black"], Option("Kind", flag="--tea")] = "green"
    milk: Annotated[bool, Option(help="a drop")] = False
    words: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Option("Words", "said")] = ()
    secret: int = 7


def parts(value):
    return tuple(value.split(",")) if isinstance(value, str) else value


@dataclass(frozen=True, config=CHECKED | {"use_attribute_docstrings": True})
class Pot(Checked):
    lid: Annotated[bool, Option("Lid")] = True
    """whether it has one"""
    shape: Annotated[Literal["round", "tall"], Option("Shape", labels=("Round", "Tall"))] = "tall"
    litres: Annotated[float, Field(ge=0, le=9), Option("Litres", typed=True, short="-l")] = 1e-3
    colours: Annotated[
        tuple[str, ...], BeforeValidator(parts), Option("Colours", hint="red,blue", commas=True)
    ] = ("red", "blue")
    name: Annotated[str, Option("Name")] = ""
    size: Annotated[int, Field(ge=1, le=90), Option("Size", step=1)] = 8


ROWS = (("lid", "shape"), ("litres", "colours", "name", "size"))
POT = Controls("pot", Pot(), ROWS, info=False, most={"size": 5})
FORM = Controls("tea", Tea(minutes=4), (("minutes", "kind"), ("cups", "words")), "Pour.")


def asked(*words: str) -> Tea:
    parser = argparse.ArgumentParser()
    add_flags(parser, Tea(cups=None))
    return read(Tea, parser.parse_args(words))


def test_flags_make_the_model():
    assert asked() == Tea(cups=None)
    told = "--minutes 2 --cups 5 --tea black --milk --words a --words b"
    assert asked(*told.split()) == Tea(2, 5, "black", milk=True, words=("a", "b"))


def test_widgets_have_the_fields_labels_limits_and_ids():
    minutes, kind, cups, words = map(FORM.widget, FORM.names)
    assert [type(minutes).__name__, type(cups).__name__] == ["Slider", "Number"]
    assert (minutes.minimum, minutes.maximum, minutes.step, minutes.value) == (0, 9, 0.5, 4)
    assert (cups.minimum, cups.maximum, cups.precision, cups.label) == (1, 8, 0, "Cups")
    assert [value for _, value in kind.choices] == ["green", "black"]
    ids = [one.elem_id for one in (minutes, kind, cups, words)]
    assert ids == ["tea-minutes", "tea-kind", "tea-n", "tea-words"]


def test_a_visitors_values_make_the_model():
    found = FORM.read(5, "black", 3.0, "a\\n\n\nb")
    assert found == Tea(5, 3, "black", words=("a\n", "b"))
    assert FORM.read(*FORM.first) == FORM.start
    with pytest.raises(InputError, match=r"empty\. Pour"):
        FORM.read(None, "black", 3, "")


def test_every_kind_of_field_has_its_widget():
    lid, shape, litres, colours, name, size = map(POT.widget, POT.names)
    kinds = [type(one).__name__ for one in (lid, shape, litres, colours, name, size)]
    assert kinds == ["Checkbox", "Radio", "Textbox", "Textbox", "Textbox", "Slider"]
    assert shape.choices == [("Round", "round"), ("Tall", "tall")]
    assert (litres.value, colours.value, colours.placeholder) == ("0.001", "red, blue", "red,blue")
    assert (size.maximum, size.value) == (5, 5)
    assert POT.widget("name", label="Own").label == "Own"
    assert POT.read(False, "round", " −0 ", "a,b", None, 3.0) == Pot(
        False, "round", 0, ("a", "b"), "", 3
    )
    assert POT.read(*POT.shown(Pot(litres=2))) == Pot(litres=2, colours=("red", " blue"))
    for text, words in (("", "‘Litres’ is empty"), ("much", "‘Litres’ cannot be ‘much’. Type a")):
        with pytest.raises(InputError, match=words):
            POT.read(True, "tall", text, "", "", 3)


def test_what_a_command_was_not_given_is_unsaid(capsys):
    parser = argparse.ArgumentParser(prog="pot")
    add_flags(parser, Pot(), unsaid=True)
    assert given(Pot, parser.parse_args([])) == {}
    told = given(Pot, parser.parse_args("-l 2 --no-lid --colours a,b".split()))
    assert told == {"litres": 2.0, "lid": False, "colours": "a,b"}
    parser.print_help()
    assert "whether it has one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"minutes": 9.5}, "minutes must be between 0 and 9, not 9.5"),
        ({"minutes": math.nan}, "minutes must be between 0 and 9, not nan"),
        ({"minutes": "long"}, "minutes must be a number, not ‘long’"),
        ({"cups": 0}, "cups must be between 1 and 50, not 0"),
        ({"cups": 1.5}, "cups must be a whole number"),
        ({"kind": "red"}, "no kind ‘red’. There are: green, black"),
        ({"words": ("",)}, "must not be empty"),
        ({"secret": math.inf}, "secret must be a whole number"),
    ],
)
def test_what_cannot_be_is_a_sentence(changes, words):
    with pytest.raises(InputError, match=words):
        replace(Tea(), **changes)


def test_an_unknown_field_is_a_mistake_in_the_program():
    with pytest.raises(TypeError, match="colour"):
        Tea(colour="blue")
