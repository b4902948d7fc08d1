"""Waiting for another process. Inside one process nothing waits: time is stepped and loops are driven."""

import threading
import time
from collections.abc import Callable


def wait_until(holds: Callable[[], bool], *, within: float = 20.0) -> None:
    """Return once `holds()` is true.

    Raises:
        TimeoutError: it was not, for `within` seconds.
    """
    deadline = time.monotonic() + within
    pause = threading.Event()
    while not holds():
        if time.monotonic() > deadline:
            message = f"not so after {within:g} s"
            raise TimeoutError(message)
        pause.wait(0.05)  # asking costs the asked processes time, too
