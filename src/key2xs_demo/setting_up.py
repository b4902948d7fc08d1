"""Filling an empty product: the site's files, the people, the users, the zones."""

import asyncio
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from key2xs_twin.clients.scim import ScimPerson
from key2xs_twin.site import COLUMNS, Person as SitePerson, Site, records, write_csv

from .cast import EVENING, Cast
from .night import Night
from .preparing import MACHINE
from .product import ApiRefused, Machine, Person

PLANT = (
    "areas",
    "units",
    "zones",
    "assets",
    "access_points",
    "cylinders",
    "asset_cylinders",
    "companies",
    "people",
)
KEYS = "keys"  # after the key system has listed them
KEY_SYSTEMS = ("iloq", "cliq")
LISTED_WITHIN = 120.0  # seconds; 1,845 calls
LOOK_SECONDS = 0.1

# Users of the console: part in the scenario, sign-in name, role.
USERS = (
    ("leader", "shift-leader", "shift_leader"),
    ("issuer", "permit-issuer", "permit_issuer"),
    ("security", "security-manager", "security_manager"),
    ("second", "security-manager-2", "security_manager"),
    ("soc", "soc", "soc"),
    ("auditor", "auditor", "auditor"),
    ("administrator", "administrator", "administrator"),
)


async def sign_in_machine(url: str, one_time_password: str, password: str) -> Machine:
    """Sign in as the demo's user and make the token that the demo works with."""
    async with await Person.sign_in(url, MACHINE, one_time_password, new_password=password) as person:
        me = await person.get("/api/v1/session")
        made = await person.post(
            "/api/v1/tokens",
            {"label": "demo driver", "permissions": me["permissions"], "days": 3},
            why="drives the demo",
        )
    return Machine(url, token=made["token"])


def write_site(site: Site, folder: Path) -> None:
    """Write the site's files, as `key2xs-twin generate` does."""
    write_csv(site, folder)


async def import_plant(machine: Machine, folder: Path) -> dict[str, int]:
    """Import everything that does not need people or keys first; returns what was added of each kind."""
    return {kind: await _import(machine, kind, (folder / f"{kind}.csv").read_text("utf-8")) for kind in PLANT}


async def wait_for_listing(machine: Machine) -> None:
    """Wait until every key system was listed for the first time; reading each key goes on meanwhile.

    Raises:
        TimeoutError: it was not in time.
    """
    async with asyncio.timeout(LISTED_WITHIN):
        while True:
            systems = (await machine.get("/api/v1/status"))["key_systems"]
            if len(systems) == len(KEY_SYSTEMS) and all(each["listed_at"] is not None for each in systems):
                return
            await asyncio.sleep(LOOK_SECONDS)


async def import_keys(machine: Machine, folder: Path) -> int:
    """Import the register of the connected systems' keys, once their own listing is known."""
    connected = {system["vendor"] for system in (await machine.get("/api/v1/status"))["key_systems"]}
    systems = {row["locking_system"] for row in _read(folder / "cylinders.csv") if row["vendor"] in connected}
    rows = [row for row in _read(folder / f"{KEYS}.csv") if row["key_system"] in systems]
    return await _import(machine, KEYS, _csv(KEYS, rows))


async def provision(night: Night, people: Sequence[SitePerson]) -> None:
    """Have the IAM provision people, and the gate office file what they are qualified for and their duties."""
    for person in people:
        scim_id = await night.scim.create_user(_as_iam_knows(night.cast, person))
        night.scim_ids[person.ref] = scim_id
    refs = {person.ref for person in people}
    await import_rows_of(night.machine, night.cast.site, "qualifications", refs)
    # A shift leader's duties cover the whole site; only people with a key in this night need theirs.
    on_duty = refs & night.cast.duties_of
    if on_duty:
        for kind in ("shifts", "duties"):
            await import_rows_of(night.machine, night.cast.site, kind, on_duty)
    for person in people:
        night.persons[person.ref] = await _person_id(night, person.ref)


async def import_rows_of(machine: Machine, site: Site, kind: str, refs: Iterable[str]) -> None:
    """Import the rows of one file that are about some people (or about nobody)."""
    wanted = set(refs)
    rows = [
        row for row in records(site, kind) if row.get("person_ref", "") in wanted or "person_ref" not in row
    ]
    if rows:
        await _import(machine, kind, _csv(kind, rows))


async def make_users(night: Night, url: str) -> None:
    """Make the users, sign all of them in with passwords of their own, and remember them by their part.

    Nobody is the second person of anything for a day after somebody else made their account: it is done the day before.
    """
    for part, login, role in USERS:
        person = _who(night.cast, part)
        made = await night.machine.post(
            "/api/v1/users",
            {
                "login": login,
                "roles": [role],
                "display_name": f"{person.given_name} {person.family_name}",
                "person": night.persons[person.ref],
                "reason": "start of operation",
            },
        )
        night.passwords[login] = f"{made['one_time_password']}-{part}"
        night.people[part] = await Person.sign_in(
            url, login, made["one_time_password"], new_password=night.passwords[login]
        )


async def switch_on(night: Night) -> list[str]:
    """Let both key systems be written: a connection only reads until a person says otherwise."""
    security = night.people["security"]
    for name in KEY_SYSTEMS:
        said = {"writes": True, "reason": "start of operation"}
        await security.post(f"/api/v1/key-systems/{name}/writes", said)
    systems = (await security.get("/api/v1/key-systems"))["items"]
    return [each["name"] for each in systems if each["writes"]]


async def enforce_zones(night: Night) -> int:
    """Let the key systems be written and set every security zone to *enforce*, one manager proposing, one confirming."""
    for system in (await night.machine.get("/api/v1/key-systems"))["items"]:
        if not system["writes"]:
            asked = {"writes": True, "reason": "start of operation"}
            await night.people["security"].post(f"/api/v1/key-systems/{system['name']}/writes", asked)
    zones = (await night.machine.get("/api/v1/zones"))["items"]
    for zone in zones:
        asked = {"mode": "enforce", "reason": "start of operation"}
        proposed = await night.people["security"].post(f"/api/v1/zones/{zone['id']}/mode", asked)
        await night.people["second"].post(f"/api/v1/proposals/{proposed['id']}/confirm")
    return len(zones)


def _who(cast: Cast, part: str) -> SitePerson:
    first, second = cast.managers
    return {
        "leader": cast.evening_leader,
        "issuer": cast.issuer,
        "security": first,
        "second": second,
        "soc": cast.analyst,
        "auditor": cast.auditor,
        "administrator": cast.administrator,
    }[part]


def _as_iam_knows(cast: Cast, person: SitePerson) -> ScimPerson:
    known = ScimPerson.of(person)
    if person.ref == cast.leaver.ref:
        return replace(known, contract_end=EVENING)
    # Employees have no last day; their contract runs on until it is ended.
    return known if person.contract_end is not None else replace(known, contract_end=date(9999, 12, 31))


async def _person_id(night: Night, ref: str) -> str:
    """Return the product's id of a person. SCIM's id is that of the account, not of the person."""
    found = await night.machine.post(
        "/api/v1/explain", {"person": f"iam:{ref}", "cylinder": night.cast.pump_panel.marking}
    )
    return str(found["person"])


async def _import(machine: Machine, kind: str, text: str) -> int:
    report = await machine.upload(f"/api/v1/imports/{kind}", text)
    if report["errors"]:
        first = report["errors"][0]
        raise ApiRefused(
            f"import {kind}: {report['error_count']} rows; line {first['row']}, {first['field']}: {first['problem']}",
            422,
            None,
        )
    return int(report["added"]) + int(report["changed"])


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _csv(kind: str, rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS[kind], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
