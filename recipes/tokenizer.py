"""Stage 2: the byte-level BPE vocabulary, and every part as one array of token ids.

python -m recipes.tokenizer
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from recipes.config import DEFAULT_WORK, Mixture, Shape
from recipes.textio import read_documents

BOS, EOS, PAD = "<|bos|>", "<|eos|>", "<|pad|>"
QUESTION, ANSWER, END = "<|question|>", "<|answer|>", "<|end|>"
RESERVED = tuple(f"<|reserved{i}|>" for i in range(8))
SPECIAL = (BOS, EOS, PAD, QUESTION, ANSWER, END, *RESERVED)
WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""GPT-2's word pattern, but every digit stands alone."""


def main() -> None:
    """Trains on a sample with the mixture's weights, saves, and encodes every part."""
    options = _options()
    mixture, parts = Mixture(), options.work / "parts"
    folder = options.work / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        sample = sampled(parts, mixture, options.sample_megabytes)
        train(sample, Shape(0, 0, 0, 0, 0).vocabulary).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for part in mixture.parts:
        for split in ("train", "valid"):
            documents = read_documents(parts / f"{part.name}.{split}.txt")
            ids = encode(tokenizer, documents)
            np.save(options.work / f"{part.name}.{split}.npy", ids)
            size = sum(len(d.encode()) for d in documents)
            print(f"{part.name:16} {split} {len(ids):9} tokens, {size / len(ids):.2f} bytes each")


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
    core.train_from_iterator(documents, trainer)
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


def encode(tokenizer: Any, documents: Sequence[str], chunk: int = 2000) -> NDArray[np.uint16]:
    """BOS document EOS for every document, one after another."""
    eos = tokenizer.eos_token_id
    arrays = []
    for start in range(0, len(documents), chunk):
        rows = tokenizer(list(documents[start : start + chunk]), verbose=False)["input_ids"]
        arrays += [np.array([*row, eos], dtype=np.uint16) for row in rows]
    return np.concatenate(arrays)


def sampled(parts: Path, mixture: Mixture, megabytes: float) -> list[str]:
    """Documents of every part in proportion to its weight."""
    chosen: list[str] = []
    for part in mixture.parts:
        documents = read_documents(parts / f"{part.name}.train.txt")
        Random(mixture.seed).shuffle(documents)
        chosen += _first(documents, part.weight * megabytes * 1e6)
    return chosen


def _first(documents: Sequence[str], characters: float) -> Iterator[str]:
    size = 0
    for document in documents:
        if size > characters:
            return
        size += len(document)
        yield document


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument("--sample-megabytes", type=float, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    main()
