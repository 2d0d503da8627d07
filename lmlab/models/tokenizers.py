"""From a folder to its vocabulary. What tokenizer.json says is the truth: a class that cuts text
otherwise than the file gives way to it.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from lmlab.errors import ModelError
from lmlab.models.tokens import Vocabulary

FILE = "tokenizer.json"
# What classes and files have been seen to cut differently: digits, spaces, contractions, breaks.
PROBE = (
    "In 2023, 650841 of them weren't “there”.\n\n\tThe  cat's\r\n 3.14159 naïve Straße 🙂 — don't "
    "WE'LL  go?  [x+1]=y_2;\n Москва 東京 <b>&amp;</b> …  end "
)
SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")


def read_vocabulary(path: Path, name: str) -> Vocabulary:
    """The vocabulary of a folder; its notes say where the file won over the class.

    Raises:
        ModelError: there is no fast tokenizer, or tokenizer.json is damaged.
    """
    file = path / FILE
    try:
        found: Any = AutoTokenizer.from_pretrained(
            path, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        if not file.is_file():
            raise ModelError(
                f"‘{name}’ has no tokenizer that can be read.",
                f"The folder needs a {FILE} (a fast tokenizer).",
            ) from error
        found = None
    # This class has read the file itself, which takes long where there are many tokens.
    if not file.is_file() or type(found) is PreTrainedTokenizerFast:
        return Vocabulary(_fast(found, name))
    expected = _cut(_whole(file, name))
    if found is not None and found.is_fast and _cut(found.backend_tokenizer) == expected:
        return Vocabulary(found)
    kind = f"The tokenizer's class ({type(found).__name__}) cuts text otherwise than"
    if found is None:
        kind = "The class that tokenizer_config.json names cannot be used beside"
    taken = _from_file(path, name, found, expected)
    return Vocabulary(taken, notes=(f"{kind} the folder's {FILE}; the file is used.",))


def fitted(vocabulary: Vocabulary, model: Any, name: str) -> Vocabulary:
    """A vocabulary that knows how many tokens a model has rows for.

    Raises:
        ModelError: ordinary text already gives ids that the model has no row of.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    head = model.get_output_embeddings()
    if head is not None and getattr(head, "weight", None) is not None:
        rows = min(rows, int(head.weight.shape[0]))
    if max(vocabulary.tokenizer(PROBE, add_special_tokens=False)["input_ids"], default=0) >= rows:
        raise ModelError(
            f"The {FILE} of ‘{name}’ is not this model's: ordinary text gives token ids beyond the "
            f"{rows:,} rows of its embedding.",
            f"Fetch {FILE} and the weights anew, from one place.",
        )
    return replace(vocabulary, rows=rows)


def _whole(file: Path, name: str) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:
        raise ModelError(
            f"The file {FILE} of ‘{name}’ is damaged or of a kind that is not known here.",
            "Fetch it again.",
        ) from error


def _fast(tokenizer: Any, name: str) -> Any:
    if not tokenizer.is_fast:
        raise ModelError(
            f"‘{name}’ has no fast tokenizer, which lmlab needs for character offsets.",
            f"The folder needs a {FILE}.",
        )
    return tokenizer


def _cut(tokenizer: Tokenizer) -> list[list[int]]:
    """The ids of the probe, and with what is put around it; nothing cut off or filled up."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return [tokenizer.encode(PROBE, add_special_tokens=around).ids for around in (False, True)]


def _from_file(path: Path, name: str, other: Any, expected: list[list[int]]) -> Any:
    """The tokenizer as the file has it, with the special tokens of the config.

    Args:
        other: what the class made of the folder; it may know special tokens by itself.
        expected: what ``_cut`` gives of the file.
    """
    try:
        made: Any = PreTrainedTokenizerFast.from_pretrained(path, local_files_only=True)
    except Exception:
        made = None
    if made is None or _cut(made.backend_tokenizer) != expected:
        # The config adds to the file or patches it; what is left of it are the names below.
        other = made or other
        build: Any = PreTrainedTokenizerFast
        made = build(tokenizer_object=_whole(path / FILE, name))
    known = made.backend_tokenizer.get_vocab(True)
    for special in SPECIAL:
        token = getattr(other, special, None)
        if getattr(made, special) is None and token in known:
            setattr(made, special, token)
    if not getattr(made, "chat_template", None):
        made.chat_template = getattr(other, "chat_template", None)
    return made
