"""Held-out texts of several kinds, small enough to ship: what the report and the page measure
bits per byte and forgetting on.
"""

from pathlib import Path
from random import Random

from recipes.sets import Row
from recipes.textio import read_documents

KINDS: dict[str, tuple[str, int, str]] = {
    "stories": ("stories_valid.txt", 60_000, "TinyStories, held out; CDLA-Sharing-1.0"),
    "older prose": ("books_children_valid.txt", 40_000, "children's classics; public domain"),
    "encyclopaedia": ("wiki_valid.txt", 30_000, "English Wikipedia, about 2021; CC BY-SA 3.0"),
}
SHUFFLED, GERMAN = "shuffled stories", "German"
LONGEST = 1600

GERMAN_TEXTS = (
    "Es war einmal ein kleiner Junge, der wohnte mit seiner Mutter am Rand eines großen Waldes. "
    "Jeden Morgen ging er zum Brunnen und holte Wasser, und jeden Abend las er ein Buch.",
    "Heute ist das Wetter schön, und die Kinder spielen im Garten. Der Hund läuft hinter dem Ball "
    "her, die Katze schläft in der Sonne, und der Vater kocht eine Suppe.",
    "Die Stadt liegt an einem breiten Fluss. Früher fuhren hier viele Schiffe, heute kommen vor "
    "allem Gäste, die sich die alte Brücke und das Schloss ansehen wollen.",
    "Meine Schwester lernt seit einem Jahr Klavier. Am Anfang war es sehr laut, aber jetzt höre "
    "ich ihr gern zu, besonders wenn sie langsame Lieder spielt.",
)


def general(pretrain: Path) -> list[Row]:
    """Rows of ``kind`` and ``text``: held-out documents, stories with their words shuffled, and
    German."""
    rows: list[Row] = []
    for kind, (file, size, _) in KINDS.items():
        documents = read_documents(pretrain / file)
        Random(20).shuffle(documents)
        rows += [{"kind": kind, "text": text} for text in _up_to(documents, size)]
    stories = [row["text"] for row in rows if row["kind"] == "stories"]
    rows += [{"kind": SHUFFLED, "text": shuffled(text, i)} for i, text in enumerate(stories[:30])]
    return [*rows, *({"kind": GERMAN, "text": text} for text in GERMAN_TEXTS)]


def shuffled(text: str, seed: int) -> str:
    """The same words in another order."""
    words = text.split()
    Random(seed).shuffle(words)
    return " ".join(words)


def origins() -> str:
    """Where each kind comes from, as a list in Markdown."""
    known = [f"- {kind}: {origin}" for kind, (_, _, origin) in KINDS.items()]
    return "\n".join(
        [
            *known,
            f"- {SHUFFLED}: the first stories, words shuffled; CDLA-Sharing-1.0",
            f"- {GERMAN}: written for it; Apache-2.0",
        ]
    )


def _up_to(documents: list[str], size: int) -> list[str]:
    """Documents, long ones cut at a paragraph, up to ``size`` characters together."""
    taken: list[str] = []
    for document in documents:
        text = document
        while len(text) > LONGEST and "\n" in text:
            text = text.rsplit("\n", 1)[0]
        if 200 <= len(text) <= 2 * LONGEST:
            taken.append(text.strip())
        if sum(map(len, taken)) > size:
            break
    return taken
