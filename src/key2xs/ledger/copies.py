"""The copy of the newest checkpoint that lives outside the database.

It is what tells, after a restore, that the database is older than what was already published.
"""

import os
from pathlib import Path


class CheckpointCopy:
    """One file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        """Keep the copy at `path`; its folder must exist when the first checkpoint comes."""
        self._path = path

    def keep(self, note: bytes) -> None:
        """Replace the copy durably: a crash leaves the old one or the new one."""
        temporary = self._path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        # The rename itself is durable only when the folder is.
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def load(self) -> bytes | None:
        """Return the kept note, or None when none was ever kept."""
        return self._path.read_bytes() if self._path.exists() else None
