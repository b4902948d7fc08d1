"""Where the parts of a cluster lie: the data, the sockets, the lock, the server's own log, our passwords.

Everything lives in one folder, `data_dir`, unless the account the server runs as cannot get there; then the
data moves to a public place. Sockets move to a short path when theirs would be too long.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from key2xs.core.postgres import account as accounts
from key2xs.core.postgres.account import (
    Account,
    can_search,
    choose_account,
    give_to,
    public_directory,
    short_hash,
)
from key2xs.core.postgres.errors import DirectoryUnusable

SOCKET_NAME = ".s.PGSQL.5432"

# sun_path of a Unix socket address has 108 bytes on Linux, one of them for the final zero.
_LONGEST_SOCKET_PATH = 107

# The server's log is moved aside at a start when it is larger; bytes.
_LARGEST_LOG = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one cluster."""

    data_dir: Path
    cluster: Path
    sockets: Path
    account: Account | None

    @property
    def lock(self) -> Path:
        """The file whose lock says who owns the running server."""
        return self.data_dir / "owner.lock"

    @property
    def log(self) -> Path:
        """The server's own words."""
        return self.data_dir / "server.log"


def arrange(data_dir: Path) -> Layout:
    """Make the folders around a cluster (not the cluster) and return where everything goes.

    Raises:
        DirectoryUnusable: it belongs to another user, or a folder we need is not ours.
    """
    data_dir = data_dir.absolute()
    _make_private(data_dir)
    cluster = _place_of_cluster(data_dir)
    account = choose_account(cluster)
    return Layout(data_dir, cluster, _socket_folder(data_dir, account), account)


def prepare_log(log: Path) -> None:
    """Make the log, private; move a large one aside first, so that no disk fills up in a year."""
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
    log.touch(mode=0o600)


def shared_memory_size() -> int:
    """Return the size of /dev/shm in bytes, 0 when there is none."""
    try:
        status = os.statvfs("/dev/shm")  # noqa: S108 - the place itself is what is measured
    except OSError:
        return 0
    return status.f_frsize * status.f_blocks


def _place_of_cluster(data_dir: Path) -> Path:
    """Return where the data lies or will lie: inside `data_dir`, or in the public place if it must.

    Where it lies already decides, so that a changed mode of some parent never makes it look empty.
    """
    inside = data_dir / "cluster"
    if os.geteuid() != 0:
        return inside
    outside = accounts.PUBLIC_PLACE / f"data-{short_hash(data_dir)}" / "cluster"
    if outside.exists():
        return outside
    account = choose_account(inside)
    if can_search(data_dir, account):
        return inside
    if inside.exists():
        message = (
            f"{inside} is there, but its owner cannot reach it; let {data_dir} and its parents be searched"
        )
        raise DirectoryUnusable(message)
    return public_directory(outside.parent.name) / "cluster"


def _make_private(folder: Path) -> None:
    """Make the folder; only its owner reads it, and the server's account may pass through."""
    try:
        folder.mkdir(parents=True)
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # whatever the umask was
    except FileExistsError:
        # Somebody's choice: a mode we did not set is not ours to change.
        if not folder.is_dir():
            message = f"{folder} is not a folder"
            raise DirectoryUnusable(message) from None
    except OSError as error:
        message = f"cannot make {folder}: {error.strerror}"
        raise DirectoryUnusable(message) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"cannot write into {folder}"
        raise DirectoryUnusable(message)


def _socket_folder(data_dir: Path, account: Account | None) -> Path:
    """Make the folder of the server's socket: inside the data folder, or at a short path.

    Mode 0700 and no TCP: whoever cannot enter this folder cannot even ask for a password.
    """
    folder = data_dir / "socket"
    too_long = len(os.fsencode(folder / SOCKET_NAME)) > _LONGEST_SOCKET_PATH
    # A comma separates hosts in every client's DSN.
    if too_long or "," in str(folder) or not can_search(data_dir, account):
        # Named after the data folder, so that every process and every restart finds the same one.
        folder = Path(_short_temporary_folder()) / f"key2xs-{os.geteuid()}-{short_hash(data_dir)}"
    try:
        folder.mkdir(mode=0o700)
        give_to(folder, account)
    except FileExistsError:
        # A shared temporary folder: somebody else may have been here first.
        status = folder.lstat()
        ours = {os.geteuid(), account.uid if account else os.geteuid()}
        if not folder.is_dir() or folder.is_symlink() or status.st_uid not in ours or status.st_mode & 0o077:
            message = f"{folder} exists and is not a private folder of ours"
            raise DirectoryUnusable(message) from None
        give_to(folder, account)
    return folder


def _short_temporary_folder() -> str:
    """Return a temporary folder with a short name; TMPDIR may be deep (macOS, test runs)."""
    short = "/tmp"  # noqa: S108 - the folder made in it is private, and checked
    return short if os.access(short, os.W_OK | os.X_OK) else tempfile.gettempdir()
