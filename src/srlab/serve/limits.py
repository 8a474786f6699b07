"""What the server takes and keeps."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of one picture: pixels, bytes of the file, networks, seconds of work. Of all: how many may wait, and
    how many results are kept, of how many bytes together, for how many seconds.
    """

    max_pixels: int = 4_000_000
    max_bytes: int = 64 << 20
    max_networks: int = 6
    max_seconds: float = 600
    reading_seconds: float = 300  # in which a request must have arrived
    queue: int = 32
    kept: int = 40
    kept_bytes: int = 2 << 30
    kept_seconds: float = 3600
