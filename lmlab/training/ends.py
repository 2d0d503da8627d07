"""The end token that a run teaches: one at which the model stops, in the saved folder as well."""

from pathlib import Path
from typing import Any

from lmlab.models.chat import turn_end
from lmlab.models.forms import Form
from lmlab.models.tokens import Vocabulary


def stops_of(generation: Any) -> tuple[int, ...]:
    """The end tokens that a generation config (or a model's config) names."""
    found = getattr(generation, "eos_token_id", None)
    if found is None:
        return ()
    return tuple(int(one) for one in (found if isinstance(found, list | tuple) else [found]))


def taught_end(vocabulary: Vocabulary, stops: tuple[int, ...]) -> int | None:
    """The token that is put after an answer.

    The tokenizer's own where generation stops at it; else the first control token that generation
    stops at, so that whoever runs the model sees it stop; else the tokenizer's own again. None
    where there is none.

    Args:
        vocabulary: the model's.
        stops: the end tokens of its generation config.
    """
    own = vocabulary.tokenizer.eos_token_id
    if own is not None and (not stops or own in stops):
        return int(own)
    added = vocabulary.tokenizer.added_tokens_decoder
    control = [one for one in stops if one in added and added[one].special]
    return control[0] if control else own


def settle(model: Any, vocabulary: Vocabulary, form: Form) -> int | None:
    """Have a model's generation config stop at what is taught and at the tokenizer's end token.

    Returns:
        the token that is put after an answer in the plain form; None where there is none.
    """
    generation = getattr(model, "generation_config", None)
    stops = stops_of(generation)
    end = taught_end(vocabulary, stops)
    if generation is None:
        return end
    wanted = [] if end is None else [end]
    turn = _id_of(vocabulary, turn_end(vocabulary)) if form == "chat" else None
    wanted = [turn, *wanted] if turn is not None else wanted
    own = vocabulary.tokenizer.eos_token_id
    union = list(dict.fromkeys([*wanted, *stops, *([] if own is None else [int(own)])]))
    if union and set(union) != set(stops):
        generation.eos_token_id = union
    return end


def note_ends(model: Any, folder: Path) -> None:
    """Have an adapter's folder say where generation stops; PEFT itself does not read it."""
    generation: Any = getattr(model, "generation_config", None)
    if stops_of(generation):
        text = generation.to_json_string()
        (folder / "generation_config.json").write_text(text, encoding="utf-8")


def _id_of(vocabulary: Vocabulary, text: str) -> int | None:
    """The id of a control token; None for a text that is none."""
    known = vocabulary.tokenizer.added_tokens_decoder.items()
    return next((int(number) for number, token in known if str(token) == text), None)
