"""A byte-level BPE (Sennrich et al. 2016; over bytes as in Radford et al. 2019), trained on a text,
and shown: merges in the order in which they were learned, tokens by how often they occur.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from lmlab.maths.levels import entropy_of_counts
from lmlab.models.tokens import Vocabulary, show
from lmlab.training.corpus import SEPARATOR


@dataclass(frozen=True, slots=True)
class Piece:
    """A token: its id, what it shows as, and how often the text has it."""

    id: int
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Merge:
    """A pair that became one token."""

    left: str  # what the first shows as
    right: str  # the second
    text: str  # both together
    count: int  # how often the text has the new token, after all merges


@dataclass(frozen=True)
class TokenizerView:
    """A vocabulary, and a sample cut by it."""

    size: int  # tokens in it, bytes and end-of-text included: the lecture's V
    n_merges: int  # learned
    merges: tuple[Merge, ...]  # the first of them, in order
    frequent: tuple[Piece, ...]  # the tokens that the text has most of, most frequent first
    pieces: tuple[Piece, ...]  # the sample as tokens
    n_tokens: int  # in the whole text, end-of-text left out
    n_bytes: int  # of the whole text in UTF-8
    n_chars: int  # of it
    counts: tuple[int, ...]  # how often each token that occurs does, in no order

    @property
    def bytes_per_token(self) -> float:
        """How much of the text a token holds on average."""
        return self.n_bytes / self.n_tokens if self.n_tokens else math.nan

    @property
    def uniform(self) -> float:
        """ln V: the loss of a model that has learned nothing, nats a token."""
        return math.log(self.size)

    @property
    def unigram(self) -> float:
        """Entropy of the tokens' frequencies, nats a token."""
        return entropy_of_counts(self.counts)


END = SEPARATOR  # starts a text as well as ends it
# Words with the space before them, each digit alone, runs of signs, runs of white space.
WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SHOWN_MERGES, SHOWN_TOKENS = 400, 400


def train_tokenizer(documents: Sequence[str], vocabulary: int, context: int) -> Any:
    """A fast transformers tokenizer of at most so many tokens; the same text gives the same one.

    Args:
        documents: what it is trained on.
        vocabulary: 256 bytes, the end-of-text token, and merges of pairs that occur at least twice.
        context: what the tokenizer says of its model.
    """
    from transformers import PreTrainedTokenizerFast

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
        min_frequency=2,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(documents, trainer)
    core.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{END} $A",
                pair=f"{END} $A $B",
                special_tokens=[(END, core.token_to_id(END))],
            ),
        ]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        clean_up_tokenization_spaces=False,
        model_max_length=context,
        padding_side="right",
    )


def stream(tokenizer: Any, documents: Sequence[str]) -> list[int]:
    """END document END document … END as one list of ids."""
    end = int(tokenizer.eos_token_id)
    found = [end]
    for encoding in tokenizer.backend_tokenizer.encode_batch(
        list(documents), add_special_tokens=False
    ):
        found += encoding.ids
        found.append(end)
    return found


def view(tokenizer: Any, documents: Sequence[str], sample: str) -> TokenizerView:
    """What a tokenizer learned, and what it makes of a sample.

    Args:
        tokenizer: of ``train_tokenizer``.
        documents: that it was trained on; tokens are counted in them.
        sample: a text that is shown cut into tokens.
    """
    vocabulary = Vocabulary(tokenizer)
    counts = Counter(stream(tokenizer, documents))
    counts.pop(int(tokenizer.eos_token_id), None)
    learned = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    merges = tuple(_merge(tokenizer, vocabulary, pair, counts) for pair in learned[:SHOWN_MERGES])
    frequent = tuple(
        Piece(token, vocabulary.text(token), count)
        for token, count in counts.most_common(SHOWN_TOKENS)
    )
    ids = tokenizer(sample, add_special_tokens=False, verbose=False)["input_ids"]
    return TokenizerView(
        size=len(tokenizer),
        n_merges=len(learned),
        merges=merges,
        frequent=frequent,
        pieces=tuple(Piece(i, vocabulary.text(i), counts[i]) for i in ids),
        n_tokens=sum(counts.values()),
        n_bytes=sum(len(document.encode()) for document in documents),
        n_chars=sum(map(len, documents)),
        counts=tuple(counts.values()),
    )


def _merge(tokenizer: Any, vocabulary: Vocabulary, pair: Any, counts: Counter[int]) -> Merge:
    left, right = pair if isinstance(pair, list) else pair.split(" ")
    ids = tokenizer.convert_tokens_to_ids([left, right, left + right])
    first, second, made = (int(one) for one in ids)
    joined = vocabulary.data(first) + vocabulary.data(second)
    return Merge(vocabulary.text(first), vocabulary.text(second), show(joined), counts[made])
