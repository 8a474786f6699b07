"""What a user can set right.

The command line prints a `UserError`'s message in one line and exits with 2. The message says what happened,
what was expected and what to do, with the values. Anything else that is raised is a fault of srlab's own.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a disk says that takes no more

REMEDIES = {
    errno.ENOSPC: "free some space, or choose another place",
    errno.EDQUOT: "free some space, or choose another place",
    errno.EFBIG: "raise the limit on a file's size (ulimit -f), or choose another place",
    errno.EACCES: "change its permissions, or choose another place",
    errno.EPERM: "change its permissions, or choose another place",
    errno.EROFS: "choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "a file is where a folder should be; choose another place",
    errno.ELOOP: "the link leads back to itself; choose another place",
    errno.EISDIR: "name a file, not a folder",
}


class UserError(ValueError):
    """Wrong input: a missing file, an unknown name, options that do not fit together."""


class NotFiniteError(UserError):
    """What a network makes of an image has values that are infinite or not numbers."""


@contextmanager
def naming(path: Path, *, beside: Path | None = None) -> Iterator[None]:
    """An `OSError` in here names `path`: that of a full disk names no file, or one `beside` it."""
    try:
        yield
    except OSError as error:
        is_other = error.filename is not None and str(error.filename) != str(beside)
        if error.errno is None or (is_other and error.errno not in FULL):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
