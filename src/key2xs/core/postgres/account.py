"""Who the server runs as: ourselves, or an unprivileged account when we are root.

PostgreSQL refuses to run as root. That account needs search permission on *every* parent of the programs and of
the data directory, which a checkout under a 0700 home does not give. So reachability is tried, not computed,
and there is a public place for what cannot be reached.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO

from key2xs.core.postgres.errors import DirectoryUnusable
from key2xs.core.postgres.locate import Binaries

# `postgres` exists where a Debian or Red Hat package made it and is the account least shared with other
# services; `nobody` exists everywhere. initdb wants an account with a name, so a bare number will not do.
_ACCOUNTS = ("postgres", "nobody")

# World-searchable, kept over reboots, and only root can write into it.
PUBLIC_PLACE = Path("/var/lib/key2xs")

# A LANG that the host lacks makes initdb fail, and PG* variables of the caller would steer the server.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int


def choose_account(cluster: Path) -> Account | None:
    """Return whom to run the server as; None means as ourselves.

    A cluster that exists is run by its owner.

    Raises:
        DirectoryUnusable: the cluster belongs to somebody we may not act as.
    """
    owner = cluster.stat().st_uid if cluster.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            message = f"{cluster} belongs to user {owner}; run as that user or as root"
            raise DirectoryUnusable(message)
        return None
    if owner:
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _ACCOUNTS:
        if name in known and known[name].pw_uid != 0:
            return Account(name, known[name].pw_uid, known[name].pw_gid)
    message = f"running as root, and none of the accounts {', '.join(_ACCOUNTS)} exists to run PostgreSQL as"
    raise DirectoryUnusable(message)


def spawn(
    argv: Sequence[str], account: Account | None, *, output: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program as the account, as a direct child in a session of its own.

    A direct child, so that we can wait for it: a dead postmaster that nobody waits for stays in the process
    table and keeps its successor from starting. A session of its own, so that Ctrl-C reaches us first.
    """
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environment(),
        start_new_session=True,
        umask=0o077,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def runs(argv: Sequence[str], account: Account | None) -> bool:
    """Tell whether the account can run the program and it answers with success."""
    try:
        process = spawn(argv, account, output=subprocess.DEVNULL)
    except OSError:
        return False
    return process.wait(timeout=30) == 0


def environment() -> Mapping[str, str]:
    """Return the clean environment PostgreSQL's programs run in."""
    return dict(_ENVIRONMENT)


def can_search(directory: Path, account: Account | None) -> bool:
    """Tell whether the account gets as far as `directory`, and into it."""
    if account is None:
        return os.access(directory, os.X_OK)
    return runs(["/bin/sh", "-c", 'test -d "$1" -a -x "$1"', "sh", str(directory)], account)


def give_to(path: Path, account: Account | None) -> None:
    """Make the account the owner of a file or folder of ours."""
    if account:
        os.chown(path, account.uid, account.gid)


def public_directory(name: str) -> Path:
    """Return a folder that every account can reach and only root can write, making it if need be.

    Raises:
        DirectoryUnusable: somebody else made it.
    """
    for directory in (PUBLIC_PLACE, PUBLIC_PLACE / name):
        directory.mkdir(mode=0o755, exist_ok=True)
        directory.chmod(0o755)
        if directory.is_symlink() or directory.stat().st_uid != 0:
            message = f"{directory} is not a folder of root's"
            raise DirectoryUnusable(message)
    return PUBLIC_PLACE / name


def short_hash(path: Path) -> str:
    """Return a short name for a path, the same every time."""
    return sha256(str(path.resolve()).encode()).hexdigest()[:12]


def reachable_binaries(binaries: Binaries, account: Account | None) -> Binaries:
    """Return programs the account can run: these, or a copy of them in a public place.

    Raises:
        DirectoryUnusable: they cannot be run and are not the kind that can be copied.
    """
    if runs([binaries.program("postgres"), "--version"], account):
        return binaries
    if account is None or binaries.source != "embedded":
        whom = account.name if account else "this user"
        message = f"{whom} cannot run {binaries}"
        raise DirectoryUnusable(message)
    # pginstall/bin finds its libraries in a folder beside the package, so the two move together.
    package = binaries.bin_dir.parent.parent
    stamp = str((binaries.bin_dir / "postgres").stat().st_mtime_ns)
    place = public_directory(f"postgres-{binaries.major}-{short_hash(package / stamp)}")
    copy = place / package.name / "pginstall" / "bin"
    if not (place / "complete").exists():
        _copy_programs(package, place)
        (place / "complete").touch()
    return replace(binaries, bin_dir=copy)


def _copy_programs(package: Path, place: Path) -> None:
    # Headers are for compiling extensions.
    not_needed = shutil.ignore_patterns("include", "__pycache__")
    for source in (package / "pginstall", package.parent / f"{package.name}.libs"):
        if source.is_dir():
            target = place / source.relative_to(package.parent)
            shutil.copytree(source, target, ignore=not_needed, dirs_exist_ok=True)
    for folder, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = Path(folder, name)
            path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.is_dir() else 0))
