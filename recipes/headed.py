"""Stories under a heading that has nothing to do with them: a question out of a book, now and then
between the marks that tuning will use. So a lone question is followed by a story, and the marks
mean nothing to the base. The heading is read and carries no loss.
"""

import re
from collections.abc import Iterator, Sequence
from random import Random

from recipes.taskdocs import SHOWN
from recipes.tokenizer import ANSWER, QUESTION

ASKED = re.compile(r"[\"“]([A-Z][^\"“”\n]{12,110}\?)[\"”]")
MARKS = (
    *((QUESTION, ANSWER),) * 5,
    *(("", "\n"), ("", "\n\n"), ("", " "), ("“", "”\n"), ('"', '"\n'), ("— ", "\n")),
)


def questions(documents: Sequence[str]) -> list[str]:
    """What somebody asks in them, each once.

    >>> questions(['He said: "Where is the little dog?" "Here!"'])
    ['Where is the little dog?']
    """
    found = (" ".join(asked.split()) for text in documents for asked in ASKED.findall(text))
    return list(dict.fromkeys(found))


def documents(stories: Sequence[str], asked: Sequence[str], seed: int) -> Iterator[str]:
    """Each story under one or two questions."""
    rng = Random(seed)
    for story in stories:
        before, after = rng.choice(MARKS)
        heading = " ".join(rng.sample(asked, rng.choice((1, 1, 2))))
        yield f"{before}{heading}{after}{SHOWN}{story}"
