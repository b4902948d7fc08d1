"""The folder of one run: settings, secrets, files to import, databases and what the processes said."""

import contextlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from key2xs_twin.clients.webhook import make_secret

BASE = Path("build/demo")
_PREFIX = "run-"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where things of one run are."""

    root: Path

    @property
    def settings(self) -> Path:
        """The product's settings."""
        return self.root / "key2xs.toml"

    @property
    def data(self) -> Path:
        """The product's own data: databases, keys, the checkpoint copy."""
        return self.root / "var"

    @property
    def imports(self) -> Path:
        """The site's files."""
        return self.root / "import"

    @property
    def certificates(self) -> Path:
        """For the syslog receiver and its client."""
        return self.root / "certificates"

    @property
    def notes(self) -> Path:
        """What a second process of the demo needs to know."""
        return self.root / "demo.json"

    def log(self, name: str) -> Path:
        """What a process wrote."""
        return self.root / f"{name}.log"

    def note(self, **values: Any) -> None:
        """Keep values for `key2xs_demo suspend`; readable by their owner only."""
        known = self.read_notes() | values
        self.notes.touch(mode=0o600)
        self.notes.write_text(json.dumps(known, indent=1), encoding="utf-8")

    def read_notes(self) -> dict[str, Any]:
        """Return what was noted; empty before anything was."""
        try:
            found: dict[str, Any] = json.loads(self.notes.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return found


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made anew for every run."""

    scim_token: str
    webhook: str

    @classmethod
    def make(cls) -> "Secrets":
        """Draw them."""
        return cls(secrets.token_urlsafe(32), make_secret(secrets.token_bytes(24)))


def make_folder(base: Path = BASE) -> RunFolder:
    """Make the folder of a new run and remove those of runs that are over."""
    base.mkdir(parents=True, exist_ok=True)
    for old in base.glob(f"{_PREFIX}*"):
        if not _is_running(old):
            shutil.rmtree(old, ignore_errors=True)
    number = 1
    while True:
        root = (base / f"{_PREFIX}{number}").absolute()
        # Another demo may be making its own at this moment.
        with contextlib.suppress(FileExistsError):
            root.mkdir()
            (root / "driver.pid").write_text(f"{os.getpid()}\n", encoding="ascii")
            return RunFolder(root)
        number += 1


def newest_folder(base: Path = BASE) -> RunFolder | None:
    """Return the folder of the run that goes on, the newest if there are several."""
    running = [folder for folder in base.glob(f"{_PREFIX}*") if _is_running(folder)]
    newest = max(running, key=lambda folder: folder.stat().st_mtime, default=None)
    return RunFolder(newest.absolute()) if newest is not None else None


def _is_running(folder: Path) -> bool:
    try:
        pid = int((folder / "driver.pid").read_text(encoding="ascii"))
        os.kill(pid, 0)
    except (OSError, ValueError):
        return False
    return True
