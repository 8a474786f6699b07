"""Where a command's words go: results to standard output, everything else to standard error."""

import json
import sys
from typing import Any

from rich.console import Console

messages = Console(stderr=True, highlight=False)
results = Console(highlight=False)


def print_json(values: Any) -> None:
    """One JSON object on standard output; a number that JSON does not have is an error here."""
    sys.stdout.write(json.dumps(values, indent=2, allow_nan=False) + "\n")
