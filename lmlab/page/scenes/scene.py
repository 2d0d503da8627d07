"""One scene of a lecture, as its file says it. Every field is explained in ``docs/scenes.md``."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from lmlab.errors import InputError
from lmlab.text.strict_yaml import load_mapping

# Names of controls whose values name models, on any tab.
MODELS = (
    "model", "second", "model-1", "model-2", "model-3", "model-4", "models", "base", "tuned"
)  # fmt: skip
Value = str | tuple[str, ...]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Lines = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Question(_Part):
    """What the room is asked to predict before it is shown."""

    say: Lines  # the question
    options: tuple[Line, ...] = Field(min_length=2, max_length=5)  # to choose from
    answer: Lines  # what to see, shown after the guess
    right: Line | None = None  # the option that is right, where one is whatever the model
    # the number that is right, or the name of the tab's part whose first figure it is: phones then
    # answer with a number
    truth: Annotated[float, Field(allow_inf_nan=False)] | Name | None = None
    # names of the tab's parts that stay hidden until then
    hide: tuple[Name, ...] = Field((), max_length=6)

    @model_validator(mode="after")
    def _is_an_option(self) -> Self:
        if self.right is not None and self.right not in self.options:
            raise ValueError("‘right’ is none of the options")
        return self


class Callout(_Part):
    """A note that points at a part of the page."""

    at: Name  # name of the part within its tab, for instance ``strip``
    say: Lines  # the note


class Stored(_Part):
    """A result kept from an earlier run, for where the model cannot run."""

    made: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]  # the day, as 2026-01-31
    model: Line  # that made it
    # rows of cells, the first one the heads
    table: tuple[tuple[Annotated[str, StringConstraints(max_length=200)], ...], ...] = Field(
        min_length=2, max_length=30
    )


class Scene(_Part):
    """What a lecturer shows with one press."""

    name: Name  # of the file, without its number; what a link calls the scene
    title: Line  # in the list and the bar
    part: Line = "Scenes"  # of the lecture; scenes of one part stand together in the list
    point: Lines  # what the scene is to show, in a sentence or two
    tab: Name  # that it opens, for instance ``likelihood``
    # values by the names of the tab's controls, as text or lists of text
    inputs: Mapping[Name, Value] = {}
    run: Name | None = None  # name of the tab's button that is pressed then; none if empty
    ask: Question | None = None  # a question to the room
    notes: Lines | None = None  # for whoever speaks, in the presenter's window
    minutes: int | None = Field(None, ge=1, le=90)  # that it takes
    look: tuple[Callout, ...] = Field((), max_length=3)  # what to look at
    stored: Stored | None = None  # a result for where the model cannot run

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that it asks for; none where it leaves them as they are."""
        given = [self.inputs[key] for key in MODELS if key in self.inputs]
        names = [name for one in given for name in ((one,) if isinstance(one, str) else one)]
        return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def parse(text: str, file: str) -> Scene:
    """A scene from the text, YAML, of a file, whose name gives the scene its own.

    Raises:
        InputError: says the file, the field and what is wrong with it.
    """
    try:
        raw = load_mapping(text, what=f"scene {file}")
        return Scene(**{"name": name_of(file), **raw})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise InputError(
            f"{file}: field ‘{field}’: {first['msg'][:200]}.", "docs/scenes.md explains the fields."
        ) from None
    except TypeError as error:
        raise InputError(f"{file}: {str(error)[:200]}.") from None


def name_of(file: str) -> str:
    """The scene's own name.

    >>> name_of("04-sense-and-nonsense.yaml")
    'sense-and-nonsense'
    """
    return re.sub(r"^\d+-", "", file.rsplit("/", 1)[-1].rsplit(".", 1)[0])


def written(scene: Scene) -> str:
    """The scene as a file's text, which ``parse`` reads again."""
    raw = _plain(scene.model_dump(exclude_defaults=True, exclude={"name"}))
    return str(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False, width=100))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
