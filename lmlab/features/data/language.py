"""Which language a document is in: py3langid (Lui & Baldwin 2012's langid.py, 139 languages, model
of 4.6 MB inside the package, BSD). A guess, with a confidence.
"""

from collections.abc import Iterable, Iterator
from typing import Any

BEGINNING = 2000  # characters that are looked at
FEWEST_LETTERS = 12  # below that there is nothing to tell by
SURE = 0.5  # a guess with less confidence is none


def load() -> Any:
    """The identifier with probabilities; takes a second or two."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def guesses(identifier: Any, texts: Iterable[str]) -> Iterator[tuple[str, float]]:
    """ISO 639 code and confidence (0 to 1) of each text; an empty code where there is too little
    text or too little confidence. The identifier's own code for no language at all is ``zxx``."""
    for text in texts:
        beginning = text[:BEGINNING]
        if sum(char.isalpha() for char in beginning) < FEWEST_LETTERS:
            yield "", 0.0
            continue
        code, confidence = identifier.classify(beginning)
        yield str(code) if confidence >= SURE else "", min(1.0, float(confidence))
