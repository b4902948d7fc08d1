"""`python -m key2xs_demo`: play one night shift, then go on in real time. `suspend` speaks to a demo that runs."""

import asyncio

import uvloop
from cyclopts import App

from .cast import SEED

app = App(name="key2xs_demo", help=__doc__)


@app.default
def play(*, exit: bool = False, seed: int = SEED) -> int:  # noqa: A002 - the name of the option is fixed
    """Play the night.

    Args:
        exit: end afterwards; the exit code is 0 only if every expectation of the scenario held.
        seed: all chance of the synthetic site and its devices comes from it.
    """
    from .driver import Options, run_demo
    from .preparing import chosen_port

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_demo(Options(port=chosen_port(), seed=seed, exits=exit)))


@app.command
def suspend(permit: str) -> int:
    """Suspend a live permit of the demo that runs, as the permit system does.

    Args:
        permit: its number, as the demo printed it.
    """
    from .suspending import suspend_permit

    return asyncio.run(suspend_permit(permit))


def main() -> int:
    """Run the command."""
    found = app()
    return int(found or 0)
