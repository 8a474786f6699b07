"""What a user can set right.

The command line prints a `UserError`'s message in one line and exits with 2. The message says what happened,
what was expected and what to do, with the values. Anything else that is raised is a fault of srlab's own.
"""


class UserError(ValueError):
    """Wrong input: a missing file, an unknown name, options that do not fit together."""


class NotFiniteError(UserError):
    """What a network makes of an image has values that are infinite or not numbers."""
