"""Before anything runs: settings, certificates, databases that know what time it is, and the first user."""

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from key2xs.access import Access, Role, make_user, new_password
from key2xs.app import databases
from key2xs.core.clock import StoredClock, SystemClock
from key2xs.core.database import Database
from key2xs.core.settings import Settings, load_settings
from key2xs.installation import Dsns, open_installation
from key2xs_twin.certificates import Certificates

from .folder import RunFolder, Secrets

SITE = "RTX"
DEFAULT_PORT = 8443
MACHINE = "demo"
"""Sign-in name of the demo's own user: administrator and auditor at once, which no person should be."""
# Decides everything again this often. The product's own five minutes would cost the demo much time and show nothing.
SWEEP_MINUTES = 30
# The same for asking the vendor without a reason: the whole listing costs 1,845 calls on this site. It is listed when it
# is set up, the day before at five, and again at midnight.
INVENTORY_MINUTES = 1860
REREAD_MINUTES = 30
WATCHED_REREAD_MINUTES = 2880
EVENTS_SECONDS = 120


@dataclass(frozen=True, slots=True)
class VendorAccount:
    """How to reach the twin's iLOQ system."""

    base_url: str
    customer_code: str
    user_name: str
    password: str
    lock_group: str


@dataclass(frozen=True, slots=True)
class CliqAccount:
    """How to reach the twin's CLIQ system, over its simulated interface."""

    base_url: str
    client: str
    secret: str


def chosen_port() -> int:
    """Return the console's port: `PORT`, or ours.

    Raises:
        SystemExit: `PORT` is not a port.
    """
    text = os.environ.get("PORT", str(DEFAULT_PORT))
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SystemExit(f"PORT must be a number from 1 to 65535, not {text!r}")
    return int(text)


def write_settings(
    folder: RunFolder,
    *,
    port: int,
    vendor: VendorAccount,
    cliq: CliqAccount,
    secrets: Secrets,
    certificates: Certificates,
    syslog_port: int,
) -> None:
    """Write the product's settings, readable by their owner only."""
    paces = (
        f"inventory_minutes = {INVENTORY_MINUTES}",
        f"reread_minutes = {REREAD_MINUTES}",
        f"watched_reread_minutes = {WATCHED_REREAD_MINUTES}",
        f"events_seconds = {EVENTS_SECONDS}",
    )
    lines = [
        f"site_code = {_text(SITE)}",
        'site_name = "Refinery (demo)"',
        f"data_dir = {_text(folder.data)}",
        "demo_time = true",
        "[http]",
        'host = "127.0.0.1"',
        f"port = {port}",
        "[leases]",
        f"sweep_minutes = {SWEEP_MINUTES}",
        "[[scim]]",
        'name = "entra"',
        f"token = {_text(secrets.scim_token)}",
        "[[permits]]",
        'name = "eptw"',
        f"secrets = [{_text(secrets.webhook)}]",
        "[[iloq]]",
        'name = "iloq"',
        f"base_url = {_text(vendor.base_url)}",
        f"customer_code = {_text(vendor.customer_code)}",
        f"user_name = {_text(vendor.user_name)}",
        f"password = {_text(vendor.password)}",
        f"lock_group = {_text(vendor.lock_group)}",
        *paces,
        "[[cliq]]",
        'name = "cliq"',
        f"base_url = {_text(cliq.base_url)}",
        f"client = {_text(cliq.client)}",
        f"secret = {_text(cliq.secret)}",
        *paces,
        "[[syslog]]",
        'name = "siem"',
        'host = "127.0.0.1"',
        f"port = {syslog_port}",
        f"ca = {_text(certificates.ca)}",
        f"certificate = {_text(certificates.client.certificate)}",
        f"key = {_text(certificates.client.key)}",
        'server_name = "syslog.twin.test"',
    ]
    folder.settings.touch(mode=0o600)
    folder.settings.write_text("\n".join(lines) + "\n", encoding="utf-8")


async def prepare_databases(folder: RunFolder, at: datetime) -> str:
    """Make and migrate the databases, set domain time, make the demo's user; return its one-time password."""
    return await asyncio.to_thread(_prepare, folder, at)


def _prepare(folder: RunFolder, at: datetime) -> str:
    settings = load_settings(folder.settings, {})
    with databases(settings) as dsns:
        return asyncio.run(_prepare_in(settings, dsns, at))


async def _prepare_in(settings: Settings, dsns: Dsns, at: datetime) -> str:
    # The stored time first: a process that finds none would begin with the machine's.
    database = await Database.open(dsns.app, max_size=1, name="key2xs-demo")
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO domain_time (at) VALUES ($1)", at)
    await database.close()
    clock, wall, password = StoredClock(at), SystemClock(), new_password()
    async with open_installation(settings, dsns, clock) as installation:
        services = installation.services
        access = Access(services.database, services.ledger, services.vault, clock, wall)
        await services.database.transact(
            lambda tx: make_user(
                tx,
                access,
                login=MACHINE,
                roles=[Role.ADMINISTRATOR, Role.AUDITOR],
                at=at,
                display_name="The demo",
                one_time_password=password,
            )
        )
    return password


def _text(value: str | Path) -> str:
    """Write a TOML basic string; what we write here holds no control characters."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
