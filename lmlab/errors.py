"""The errors a user can cause or meet. Each says what is wrong and what to do about it.

Imports nothing of lmlab, so that every other module may raise them.
"""

import errno

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BARRED = (errno.EROFS, errno.EACCES, errno.EPERM)


class LabError(Exception):
    """Something the user can act on: a sentence saying what is wrong, and one, which may be empty,
    saying what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ModelError(LabError):
    """A model cannot be named, found, fetched, read or held in memory."""


class InputError(LabError):
    """A text, a number or a row that cannot be worked with."""


class MemoryLimitError(LabError):
    """The machine has too little memory for what was asked."""


class DiskError(InputError):
    """The disk is full, or a file cannot be written."""


def disk_error(error: BaseException, kept: str = "") -> DiskError | None:
    """The sentence for an error of the disk; None for any other error. ``kept``, the end of a
    sentence, is what is not lost.

    >>> str(disk_error(OSError(28, "No space left on device")))
    'The disk is full. Make room and try again.'
    >>> disk_error(ValueError("x")) is None
    True
    """
    if not isinstance(error, OSError):
        return None
    more = f"; {kept}" if kept else ""
    if error.errno in FULL:
        return DiskError(f"The disk is full{more}.", "Make room and try again.")
    if error.errno in BARRED:
        # The name alone: where the folder lies is nobody's business.
        name = str(error.filename or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
        which = f"‘{name}’" if name else "A file"
        said = "lies on a disk that is read-only" if error.errno == errno.EROFS else (
            "cannot be opened for want of permission")  # fmt: skip
        return DiskError(f"{which} {said}{more}.", "Let it be written, or choose another folder.")
    return None
