"""From a stream of bytes to readable text: whole characters only, stop strings cut exactly.

Pure; knows neither tokens nor models.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class TextStream:
    """Turns the bytes of one token after another into characters that may be shown.

    Characters that could be the start of a stop string are held back until that is decided.

    >>> stream = TextStream(("###",))
    >>> [stream.feed(data) for data in (b"a", b"\\xc3", b"\\xa4#", b"#", b"# b")]
    ['a', '', 'ä', '', '']
    >>> stream.stopped
    True
    """

    stops: Sequence[str] = ()
    stopped: bool = False
    _held: str = ""
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def feed(self, data: bytes) -> str:
        """Add bytes; the characters that can be shown now."""
        return self._take(self._decoder.decode(data), final=False)

    def finish(self) -> str:
        """What was held back, once nothing more comes; half characters become U+FFFD."""
        return self._take(self._decoder.decode(b"", final=True), final=True)

    def _take(self, text: str, *, final: bool) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        found = [place for stop in self.stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = 0 if final else max((_overlap(text, stop) for stop in self.stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that is a beginning of ``stop``."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
