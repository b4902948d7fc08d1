"""PostgreSQL for Key2XS: a server of the site's, or one of our own when there is none.

    with start_cluster(data_dir=Path("var/postgres")) as provider:
        dsns = create_roles(provider.server.dsn, passwords=local_passwords(provider.data_dir))

`start_cluster` finds or starts a server (see `provider`), `create_roles` makes our roles and databases in it
(see `roles`). Both block; neither needs an event loop, and both may be called where one runs.
"""

from key2xs.core.postgres.errors import (
    DirectoryUnusable,
    NoServerFound,
    PostgresError,
    StartFailed,
    WrongVersion,
)
from key2xs.core.postgres.locate import (
    NEWEST_MAJOR,
    OLDEST_MAJOR,
    Binaries,
    embedded_binaries,
    system_binaries,
)
from key2xs.core.postgres.provider import Provider, Server, start_cluster
from key2xs.core.postgres.roles import (
    RoleDsns,
    create_roles,
    lets_in_without_password,
    local_passwords,
    role_dsn,
)

__all__ = [
    "NEWEST_MAJOR",
    "OLDEST_MAJOR",
    "Binaries",
    "DirectoryUnusable",
    "NoServerFound",
    "PostgresError",
    "Provider",
    "RoleDsns",
    "Server",
    "StartFailed",
    "WrongVersion",
    "create_roles",
    "embedded_binaries",
    "lets_in_without_password",
    "local_passwords",
    "role_dsn",
    "start_cluster",
    "system_binaries",
]
