"""Exit codes, and the errors that end a command."""

from typing import Final

YES: Final = 0
NO: Final = 1
USAGE: Final = 2
UNKNOWN: Final = 3


class Stopped(Exception):
    """The command cannot go on; says why and with which exit code."""

    def __init__(self, message: str, code: int) -> None:
        """Show `message` and end with `code`."""
        super().__init__(message)
        self.code = code
