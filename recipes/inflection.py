"""English word forms by rule; knows nothing of tasks."""


def ing(verb: str) -> str:
    """The -ing form of a verb of the list."""
    if verb in {"run", "swim", "sit", "win", "dig", "forget", "begin"}:
        return f"{verb}{verb[-1]}ing"
    if verb.endswith("e") and not verb.endswith("ee"):
        return f"{verb[:-1]}ing"
    return f"{verb}ing"


def regular_plural(noun: str) -> str:
    """The plural of a noun that is not irregular.

    >>> [regular_plural(noun) for noun in ("cat", "box", "city", "day")]
    ['cats', 'boxes', 'cities', 'days']
    """
    if noun.endswith(("sh", "ch", "s", "x", "z")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def regular_past(verb: str) -> str:
    """The past tense of a verb that is not irregular and doubles no letter.

    >>> [regular_past(verb) for verb in ("walk", "like", "cry", "play")]
    ['walked', 'liked', 'cried', 'played']
    """
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ied"
    return f"{verb}{'d' if verb.endswith('e') else 'ed'}"


def third_person(verb: str) -> str:
    """What he, she or it does."""
    if verb.endswith(("sh", "ch", "ss", "x", "o")):
        return f"{verb}es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}s"


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' and noun != 'university' else 'a'} {noun}"
