"""A small site and a client that speaks the vendor's wire, for the twin's own tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2

from key2xs_twin import iloq
from key2xs_twin.iloq import (
    IloqSettings,
    IloqSite,
    KeyKind,
    KeySpec,
    LockSpec,
    PersonSpec,
    SecurityAccessSpec,
)
from key2xs_twin.iloq.inventory import RightType
from key2xs_twin.physics import Physics
from key2xs_twin.world import World

START = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # 18:00 in Amsterdam, a Monday
BASE = "https://iloq.test/iloqws/api/v2/"


def uid(number: int) -> UUID:
    """A readable id."""
    return UUID(int=number)


PUMP, VALVE, GATE, MANAGER_ONLY = uid(0x101), uid(0x102), uid(0x103), uid(0x104)
LOCK_PUMP, LOCK_VALVE, LOCK_GATE, LOCK_ONLINE = uid(0x201), uid(0x202), uid(0x203), uid(0x204)
ANNA, BORIS = uid(0x301), uid(0x302)
PHONE, OTHER_PHONE, FOB, METAL = uid(0x401), uid(0x402), uid(0x403), uid(0x404)


def make_site(
    *, keys: tuple[KeySpec, ...] | None = None, locks: tuple[LockSpec, ...] | None = None
) -> IloqSite:
    """Four locks, four keys, two people; the phone of Anna opens the pump."""
    rights = (
        SecurityAccessSpec(id=PUMP, name="Pump"),
        SecurityAccessSpec(id=VALVE, name="Valve"),
        SecurityAccessSpec(id=GATE, name="Gate"),
        SecurityAccessSpec(id=MANAGER_ONLY, name="Old standard right", type=RightType.STANDARD),
    )
    people = (
        PersonSpec(person_id=ANNA, external_person_id="c-17", first_name="Anna", last_name="Berg"),
        PersonSpec(person_id=BORIS, external_person_id="c-18", first_name="Boris", last_name="Dahl"),
    )
    return IloqSite(
        lock_group_id=uid(0x1),
        persons=people,
        security_accesses=rights,
        locks=locks if locks is not None else default_locks(),
        keys=keys if keys is not None else default_keys(),
    )


def default_locks() -> tuple[LockSpec, ...]:
    return (
        make_lock(LOCK_PUMP, "L201", PUMP),
        make_lock(LOCK_VALVE, "L202", VALVE),
        make_lock(LOCK_GATE, "L203", GATE, clock_installed=True),
        make_lock(LOCK_ONLINE, "L204", GATE, clock_installed=True, online=True),
    )


def default_keys() -> tuple[KeySpec, ...]:
    return (
        make_key(PHONE, "0401", person_external_id="c-17", phone_no="+31600000001"),
        make_key(OTHER_PHONE, "0402", person_external_id="c-18", phone_no="+31600000002"),
        make_key(FOB, "0403", kind=KeyKind.FOB),
        make_key(METAL, "0404", kind=KeyKind.METAL),
    )


def make_lock(lock_id: UUID, stamp: str, *rights: UUID, **more: Any) -> LockSpec:
    return LockSpec(flock_id=lock_id, stamp=stamp, security_access_ids=frozenset(rights), **more)


def make_key(
    key_id: UUID,
    stamp: str,
    *,
    kind: KeyKind = KeyKind.PHONE,
    rights: tuple[UUID, ...] = (PUMP,),
    **more: Any,
) -> KeySpec:
    given: dict[str, Any] = {"programmed": True} | more
    return KeySpec(fnkey_id=key_id, stamp=stamp, kind=kind, security_access_ids=frozenset(rights), **given)


def make_world(
    *,
    seed: int = 7,
    physics: Physics | None = None,
    settings: IloqSettings | None = None,
    keys: tuple[KeySpec, ...] | None = None,
    locks: tuple[LockSpec, ...] | None = None,
) -> World:
    """A world with exact clocks and no latency, unless told otherwise."""
    site = make_site(keys=keys, locks=locks)
    return World(seed, START, physics=physics or Physics.exact(), site=site, settings=settings)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


class Api:
    """A signed-in client; every method answers the decoded JSON and insists on success."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.http = httpx2.AsyncClient(base_url=BASE, transport=iloq.transport(world))

    async def sign_in(self) -> "Api":
        account = self.world.iloq.account
        body = {
            "CustomerCode": account.customer_code,
            "UserName": account.user_name,
            "Password": account.password,
        }
        session = await self.post("CreateSession", body)
        self.http.headers["SessionId"] = session["SessionID"]
        await self.post("SetLockgroup", {"LockGroup_ID": str(account.lock_group_id)})
        return self

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = await self.http.request(method, path, json=body, params=query)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def get(self, path: str, **query: Any) -> Any:
        return await self.call("GET", path, **query)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self.call("POST", path, body)

    async def put(self, path: str, body: Any) -> Any:
        return await self.call("PUT", path, body)

    async def rights(self, key_id: UUID, mode: int) -> set[str]:
        answer = await self.get(f"Keys/{key_id}/SecurityAccesses", mode=mode)
        return {right["Name"] for right in answer["SecurityAccesses"]}

    async def programming_state(self, key_id: UUID) -> int:
        return int((await self.get(f"Keys/{key_id}"))["ProgrammingState"])


async def signed_in(world: World) -> Api:
    """A client with a session in this world."""
    return await Api(world).sign_in()
