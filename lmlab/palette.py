"""Colours of the token strip, and the visible form of odd characters."""

# From expected to surprising; luminance falls on the light ramp and rises on the dark one.
RAMP = (
    "#ffffff", "#fff6cf", "#fee79b", "#fecb5c", "#fba235",
    "#ee7b1f", "#c44f09", "#993a08", "#612406",
)  # fmt: skip
INK = ("#1e2433",) + ("#2e2000",) * 3 + ("#1f1200",) * 2 + ("#ffffff",) * 3
RAMP_DARK = (
    "#131a2e", "#2c2341", "#472a52", "#652f5a", "#87365a",
    "#b04a4e", "#dd7240", "#f5a544", "#fde08a",
)  # fmt: skip
INK_DARK = ("#e6e9f2",) + ("#ffffff",) * 5 + ("#180c02",) * 3
# Difference: blue where the second model is more surprised, orange where the first one is.
DIFF_RAMP = (
    "#1f5fa8", "#4f8fce", "#8fbbe3", "#cfe2f3", "#ffffff",
    "#fee3bd", "#fdbb70", "#ee8a2b", "#b9540b",
)  # fmt: skip
DIFF_INK = ("#ffffff",) + ("#0b1a2b",) * 3 + ("#1e2433",) + ("#2b1800",) * 3 + ("#ffffff",)
DIFF_RAMP_DARK = (
    "#8fc4ff", "#5a97dc", "#3a69a8", "#26446f", "#131a2e",
    "#5b3517", "#93541b", "#d5842f", "#fdc274",
)  # fmt: skip
DIFF_INK_DARK = ("#0b1a2b",) * 2 + ("#ffffff",) * 5 + ("#180c02",) * 2


NAMED = {"\n": "⏎", "\t": "⇥", "\r": "␍", "\x7f": "␡", "\xa0": "⍽", "\ufeff": "⟨U+FEFF⟩"}


def visible(text: str) -> str:
    """Line breaks, tabs and control characters as signs that can be seen."""
    if text.isprintable():
        return text
    return "".join(map(_visible_char, text))


def _visible_char(char: str) -> str:
    if char in NAMED:
        return NAMED[char]
    if char < " ":
        return chr(0x2400 + ord(char))
    # Joiners are a part of emoji and of Persian or Indic words.
    return char if char.isprintable() or char in "\u200c\u200d" else f"⟨U+{ord(char):04X}⟩"
