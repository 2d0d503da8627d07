"""Stage 2: the byte-level BPE vocabulary, and every part as one array of token ids.

python -m recipes.tokenizer
"""

import argparse
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from recipes import taskdocs
from recipes.batches import SILENT, Ids
from recipes.config import DEFAULT_STATE, DEFAULT_WORK, Mixture, Shape
from recipes.taskdocs import SHOWN, TaskDocConfig
from recipes.textio import read_documents
from recipes.typography import KEPT

BOS, EOS, PAD = "<|bos|>", "<|eos|>", "<|pad|>"
QUESTION, ANSWER, END = "<|question|>", "<|answer|>", "<|end|>"
RESERVED = tuple(f"<|reserved{i}|>" for i in range(8))
SPECIAL = (BOS, EOS, PAD, QUESTION, ANSWER, END, *RESERVED)
WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""GPT-2's word pattern, but every digit stands alone."""


LETTERS = 4000
TASK_MEGABYTES = 1.5


def main() -> None:
    """Trains on a sample with the mixture's weights, saves, and encodes every part.

    The vocabulary of a run that is under way lies beside its state, and is taken from there.
    """
    options = _options()
    mixture, parts = Mixture(), options.work / "parts"
    folder = options.work / "tokenizer"
    if not (folder / "tokenizer.json").exists() and (options.state / "tokenizer").is_dir():
        shutil.copytree(options.state / "tokenizer", folder)
    if not (folder / "tokenizer.json").exists():
        sample = [*sampled(parts, mixture, options.sample_megabytes), *_tasks(mixture.seed)]
        train(sample, Shape(0, 0, 0, 0, 0).vocabulary).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for part in mixture.parts:
        for split in ("train", "valid"):
            target = options.work / f"{part.name}.{split}.npy"
            if target.exists():
                continue
            documents = read_documents(parts / f"{part.name}.{split}.txt")
            ids = encode(tokenizer, documents)
            np.save(target, ids)
            size = sum(len(d.encode()) for d in documents)
            print(f"{part.name:16} {split} {len(ids):9} tokens, {size / len(ids):.2f} bytes each")


def _tasks(seed: int) -> list[str]:
    """Generated documents for the sample: German words stand nowhere else."""
    texts = (doc.text.replace(SHOWN, "") for doc in taskdocs.documents(seed, TaskDocConfig()))
    return list(_first(texts, TASK_MEGABYTES * 1e6))


def train(documents: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE that puts one BOS in front by default and drops no character."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # So frequent, each kept sign is put together before any of its bytes could go elsewhere.
    core.train_from_iterator([*documents, *(f"{sign}\n" * LETTERS for sign in KEPT)], trainer)
    bos = core.token_to_id(BOS)
    core.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, bos)]
            ),
        ]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[QUESTION, ANSWER, END, *RESERVED],
        clean_up_tokenization_spaces=False,
        model_max_length=Shape(0, 0, 0, 0, 0).context,
        padding_side="right",
    )


def encode(tokenizer: Any, documents: Sequence[str], chunk: int = 200) -> Ids:
    """BOS document EOS for every document, one after another; of a generated document, what is
    only shown is marked by the bit ``SILENT``."""
    eos = tokenizer.eos_token_id
    arrays = []
    for start in range(0, len(documents), chunk):
        some = documents[start : start + chunk]
        plain = [document.replace(SHOWN, "", 1) for document in some]
        rows = tokenizer(plain, verbose=False)
        for i, document in enumerate(some):
            row = np.array([*rows["input_ids"][i], eos], dtype=np.uint16)
            until = document.find(SHOWN)
            if until > 0:
                row[: rows.char_to_token(i, until)] |= SILENT
            arrays.append(row)
    return np.concatenate(arrays)


def sampled(parts: Path, mixture: Mixture, megabytes: float) -> list[str]:
    """Documents of every part in proportion to its weight."""
    chosen: list[str] = []
    for part in mixture.parts:
        documents = read_documents(parts / f"{part.name}.train.txt")
        Random(mixture.seed).shuffle(documents)
        chosen += _first(documents, part.weight * megabytes * 1e6)
    return chosen


def _first(documents: Iterable[str], characters: float) -> Iterator[str]:
    size = 0
    for document in documents:
        if size > characters:
            return
        size += len(document)
        yield document


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE)
    parser.add_argument("--sample-megabytes", type=float, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
