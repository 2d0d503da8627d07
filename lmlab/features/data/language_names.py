"""English names of the languages that a guess names most often; others keep their code."""

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


def language_name(code: str) -> str:
    """A language's name, by its ISO 639 code.

    >>> language_name("de"), language_name("xyz"), language_name("")
    ('German', 'xyz', 'unsure')
    """
    if not code:
        return "unsure"
    known = dict(
        entry.split(" ", 1) for line in NAMES.split("\n") for entry in line.split("|") if entry
    )
    return known.get(code, code)
