"""Roles and databases: each part of Key2XS may do no more than it must.

| Role | May |
|---|---|
| `key2xs_owner` | own the schema; used by migrations only |
| `key2xs_app` | read and write domain tables, append entries; never write the log's tables |
| `key2xs_log` | the sequencer: write the log, nothing else |
| `key2xs_read` | read |
| `key2xs_vault` | own the second database, where people's data keys live and are backed up apart |
"""

import asyncio
import base64
import hmac
import json
import os
import secrets
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from hashlib import pbkdf2_hmac, sha256
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from key2xs.core.postgres.errors import PostgresError

ROLES = ("key2xs_owner", "key2xs_app", "key2xs_log", "key2xs_read", "key2xs_vault")
_SUPERUSER = "postgres"

# PostgreSQL's own default. Our passwords are 256 random bits, so the count protects nothing further.
_SCRAM_ITERATIONS = 4096

# Two processes setting up at once take turns. The number is "k2xr".
_SETUP_LOCK = 0x6B327872

_CONNECT_SECONDS = 10.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RoleDsns:
    """One DSN per role, all in one installation. Printing it shows no password."""

    owner: str
    app: str
    log: str
    read: str
    vault: str

    def __repr__(self) -> str:
        """Show that there are five, and nothing of them."""
        return "RoleDsns(owner, app, log, read, vault)"


def create_roles(superuser_dsn: str, *, passwords: Mapping[str, str], database: str = "key2xs") -> RoleDsns:
    """Make the roles and both databases, or bring existing ones to this form. Blocks.

    Args:
        superuser_dsn: a superuser, or a role that may create roles and databases.
        passwords: one per name in `ROLES`; a changed one is set.
        database: the main database; the vault's is named after it.

    Raises:
        PostgresError: the server refused.
    """
    try:
        blocking(_create_roles(superuser_dsn, passwords, database))
    except asyncpg.PostgresError as error:
        message = f"the database server refused the set-up of roles: {error}"
        raise PostgresError(message) from error
    return role_dsns(superuser_dsn, passwords=passwords, database=database)


def role_dsns(any_dsn: str, *, passwords: Mapping[str, str], database: str = "key2xs") -> RoleDsns:
    """Return the roles' DSNs on the server that `any_dsn` names."""

    def dsn(role: str, where: str = database) -> str:
        return role_dsn(any_dsn, role, passwords[role], where)

    return RoleDsns(
        owner=dsn("key2xs_owner"),
        app=dsn("key2xs_app"),
        log=dsn("key2xs_log"),
        read=dsn("key2xs_read"),
        vault=dsn("key2xs_vault", vault_database(database)),
    )


def vault_database(database: str) -> str:
    """Name the vault's database beside a main one."""
    return f"{database}_vault"


def role_dsn(any_dsn: str, role: str, password: str, database: str) -> str:
    """Return the DSN of another role and database on the same server, all other options kept."""
    parts = urlsplit(any_dsn)
    server = parts.netloc.rpartition("@")[2]
    options = [
        (name, value)
        for name, value in parse_qsl(parts.query)
        if name not in {"user", "password", "dbname", "database"}
    ]
    netloc = f"{quote(role, safe='')}:{quote(password, safe='')}@{server}"
    return urlunsplit(
        (parts.scheme, netloc, f"/{quote(database, safe='')}", urlencode(options, quote_via=quote), "")
    )


def local_dsn(sockets: Path, role: str, password: str, database: str) -> str:
    """Return a DSN for a server of our own."""
    return role_dsn(f"postgresql://?host={quote(str(sockets), safe='')}", role, password, database)


def local_passwords(data_dir: Path) -> dict[str, str]:
    """Return the passwords of a server of our own, made at first use and kept in `data_dir`, mode 0600."""
    path = data_dir / "passwords.json"
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = {name: secrets.token_urlsafe(32) for name in (_SUPERUSER, *ROLES)}
        _write_once(path, json.dumps(found, indent=2))
        # Two processes may have come here together: what is in the file counts.
        found = json.loads(path.read_text(encoding="utf-8"))
    return found


def lets_in_without_password(dsn: str) -> bool:
    """Tell whether the server takes this role with a password that is certainly wrong (trust, peer). Blocks.

    Production mode refuses such a server: whoever reaches its port would be the log's writer.

    Raises:
        PostgresError: the server cannot be reached, so nothing is known.
    """
    parts = urlsplit(dsn)
    user = unquote(parts.username or "")
    database = unquote(parts.path.lstrip("/"))
    wrong = role_dsn(dsn, user, secrets.token_urlsafe(32), database)

    async def attempt() -> bool:
        try:
            connection = await _connect(wrong)
        except asyncpg.InvalidAuthorizationSpecificationError:
            return False
        await connection.close()
        return True

    return blocking(attempt())


def server_major(dsn: str) -> int:
    """Ask a server for its major version. Blocks.

    Raises:
        PostgresError: it cannot be reached, or does not take this role.
    """

    async def ask() -> int:
        connection = await _connect(dsn)
        try:
            return connection.get_server_version().major
        finally:
            await connection.close()

    try:
        return blocking(ask())
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise PostgresError(f"the database server does not take us: {error}") from error


def scram_verifier(password: str, *, salt: bytes | None = None, iterations: int = _SCRAM_ITERATIONS) -> str:
    """Return what PostgreSQL stores for a password (RFC 5802), so that no statement or log ever holds it.

    Only ASCII passwords, which need no normalisation; ours are.
    """
    salt = salt or os.urandom(16)
    salted = pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")

    def text(value: bytes) -> str:
        return base64.b64encode(value).decode("ascii")

    return f"SCRAM-SHA-256${iterations}:{text(salt)}${text(stored)}:{text(server)}"


def blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own, also where another loop runs."""
    result: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            result.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="key2xs-postgres-call")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return result[0]


async def _connect(dsn: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS)
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
        raise PostgresError(f"cannot reach the database server: {error}") from error


async def _create_roles(dsn: str, passwords: Mapping[str, str], database: str) -> None:
    connection = await _connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _SETUP_LOCK)
        for role in ROLES:
            await _put_role(connection, role, passwords[role])
        await _put_database(connection, database, "key2xs_owner", readers=ROLES[1:4])
        await _put_database(connection, vault_database(database), "key2xs_vault", readers=())
    finally:
        await connection.close()
    main = await _connect(_in_database(dsn, database))
    try:
        await main.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    finally:
        await main.close()


async def _put_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    await connection.execute(
        f"{verb} ROLE {role} LOGIN NOCREATEDB NOCREATEROLE PASSWORD '{scram_verifier(password)}'"
    )
    # Whoever gives a database to a role must be a member of it; superusers always are.
    if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await connection.execute(f"GRANT {role} TO CURRENT_USER")


async def _put_database(
    connection: asyncpg.Connection, database: str, owner: str, *, readers: tuple[str, ...]
) -> None:
    name = quoted(database)
    if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
        await connection.execute(f"CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'")
    await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    for role in readers:
        await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {role}")


def quoted(identifier: str) -> str:
    """Quote an SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def _in_database(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{quote(database, safe='')}"))


def _write_once(path: Path, content: str) -> None:
    """Write a new private file whole; leave an existing one as it is."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600)
    try:
        draft.write_text(content, encoding="utf-8")
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
