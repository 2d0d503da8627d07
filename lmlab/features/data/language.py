"""Which language a document is in: py3langid (Lui & Baldwin 2012's langid.py, 139 languages, model
of 4.6 MB inside the package, BSD). A guess, with a confidence.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from threading import Lock
from typing import Any

BEGINNING = 2000  # characters that are looked at
FEWEST_LETTERS = 12  # below that there is nothing to tell by
SURE = 0.5  # a guess with less confidence is none
FIRST_USE = Lock()
# English names of those that a guess names most often; others keep their code.
NAMES = """
af Afrikaans|ar Arabic|bg Bulgarian|bn Bengali|ca Catalan|cs Czech|cy Welsh|da Danish|de German
el Greek|en English|eo Esperanto|es Spanish|et Estonian|eu Basque|fa Persian|fi Finnish|fr French
ga Irish|gl Galician|he Hebrew|hi Hindi|hr Croatian|hu Hungarian|hy Armenian|id Indonesian
is Icelandic|it Italian|ja Japanese|ka Georgian|ko Korean|la Latin|lb Luxembourgish|lt Lithuanian
lv Latvian|mk Macedonian|ms Malay|mt Maltese|nb Norwegian|nl Dutch|nn Norwegian Nynorsk|no Norwegian
pl Polish|pt Portuguese|ro Romanian|ru Russian|sk Slovak|sl Slovenian|sq Albanian|sr Serbian
sv Swedish|sw Swahili|ta Tamil|te Telugu|th Thai|tr Turkish|uk Ukrainian|ur Urdu|vi Vietnamese
yi Yiddish|zh Chinese|zxx no language
"""


@cache
def _identifier() -> Any:
    """It takes a second or two."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def guesses(texts: Iterable[str]) -> Iterator[tuple[str, float]]:
    """ISO 639 code and confidence (0 to 1) of each text; an empty code where there is too little
    text or too little confidence. The identifier's own code for no language at all is ``zxx``."""
    with FIRST_USE:  # two first visitors at once would load it twice
        identifier = _identifier()
    for text in texts:
        beginning = text[:BEGINNING]
        if sum(char.isalpha() for char in beginning) < FEWEST_LETTERS:
            yield "", 0.0
            continue
        code, confidence = identifier.classify(beginning)
        yield str(code) if confidence >= SURE else "", min(1.0, float(confidence))


def language_name(code: str) -> str:
    """A language's name, by its ISO 639 code.

    >>> language_name("de"), language_name("xyz"), language_name("")
    ('German', 'xyz', 'unsure')
    """
    entries = NAMES.replace("\n", "|").strip("|").split("|")
    known = dict(entry.split(" ", 1) for entry in entries)
    return known.get(code, code) or "unsure"
