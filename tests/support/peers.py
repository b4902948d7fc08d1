"""Programs from outside that some tests talk to: a real rsyslog, a browser, a second PostgreSQL."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

# Debian keeps daemons where a normal user's PATH does not look.
_MORE_PLACES = "/usr/sbin:/sbin:/usr/local/sbin"


def peers_required() -> bool:
    """Tell whether a missing peer is a failure: CI says so, a laptop need not have them all."""
    return os.environ.get("KEY2XS_REQUIRE_PEERS", "") not in {"", "0"}


def miss_peer(name: str) -> NoReturn:
    """End the test for want of a peer: skipped, or failed where peers are required."""
    if peers_required():
        pytest.fail(f"{name} is not installed, and KEY2XS_REQUIRE_PEERS is set", pytrace=False)
    pytest.skip(f"{name} is not installed")


def require_program(name: str) -> Path:
    """Return the path of a program, or end the test as `miss_peer` does."""
    path = os.pathsep.join((os.environ.get("PATH", ""), _MORE_PLACES))
    found = shutil.which(name, path=path)
    if found is None:
        miss_peer(name)
    return Path(found)
