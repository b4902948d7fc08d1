"""`key2xs`: run the service, and ask it things.

Exit codes: 0 yes or done, 1 no, 2 wrong use, 3 not known (no answer, or none that can be relied on).
"""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with its exit code."""
    from .commands import run_command

    sys.exit(run_command(list(sys.argv[1:] if arguments is None else arguments)))
