"""A small CLIQ site and a client that speaks the simulated interface, for the twin's own tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2

from key2xs_twin import cliq
from key2xs_twin.cliq import (
    ALWAYS,
    CliqKeyKind,
    CliqKeySpec,
    CliqSettings,
    CliqSite,
    CylinderGroupSpec,
    CylinderSpec,
    KeyPlan,
    ProgrammingKeySpec,
    UpdaterKind,
    UpdaterSpec,
)
from key2xs_twin.physics import Physics
from key2xs_twin.world import World

START = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # 18:00 in Amsterdam, a Monday
BASE = "https://cliq.test/cliq-sim/v1/"


def uid(number: int) -> UUID:
    """A readable id."""
    return UUID(int=number)


GATE, TANK, VALVE, ASKING = uid(0xC01), uid(0xC02), uid(0xC03), uid(0xC04)
TANKS = uid(0xD01)
DYNAMIC, CONNECT, NORMAL, SPARE = uid(0xE01), uid(0xE02), uid(0xE03), uid(0xE04)
WALL, PHONE = uid(0xF01), uid(0xF02)
CARRIER = uid(0xA01)

WIRE_PLAN: dict[str, Any] = {
    "access": [{"cylinder": str(GATE)}],
    "validity": {"kind": "always"},
    "schedule": None,
    "revalidation_minutes": 480,
    "online_opening": False,
}


def make_plan(**more: Any) -> KeyPlan:
    """The gate, with a revalidation of eight hours."""
    given: dict[str, Any] = {
        "cylinder_ids": frozenset({GATE}),
        "revalidation_minutes": 480,
        "validity": ALWAYS,
    }
    return KeyPlan(**(given | more))


def make_site(*, plan: KeyPlan | None = None, connect_plan: KeyPlan | None = None) -> CliqSite:
    """Four cylinders, one group, four keys, an updater on the wall, a phone, a programming key."""
    plan = plan if plan is not None else make_plan()
    return CliqSite(
        cylinders=(
            CylinderSpec(cylinder_id=GATE, marking="C-001", normal_key_ids=frozenset({NORMAL})),
            CylinderSpec(cylinder_id=TANK, marking="C-002"),
            CylinderSpec(cylinder_id=VALVE, marking="C-003", domain="tank farm"),
            CylinderSpec(cylinder_id=ASKING, marking="C-004", online_opening=True),
        ),
        groups=(CylinderGroupSpec(group_id=TANKS, name="Tanks", member_ids=frozenset({TANK, VALVE})),),
        keys=(
            CliqKeySpec(key_id=DYNAMIC, serial="104200001", plan=plan, holder="c-17"),
            CliqKeySpec(
                key_id=CONNECT,
                serial="104200002",
                kind=CliqKeyKind.CONNECT,
                plan=connect_plan if connect_plan is not None else plan,
                phone_id=PHONE,
            ),
            CliqKeySpec(
                key_id=NORMAL,
                serial="104200003",
                kind=CliqKeyKind.NORMAL,
                plan=KeyPlan(revalidation_minutes=480),
            ),
            CliqKeySpec(key_id=SPARE, serial="104200004"),
        ),
        updaters=(
            UpdaterSpec(updater_id=WALL, kind=UpdaterKind.WALL, place="AP-TNK-001"),
            UpdaterSpec(updater_id=PHONE, kind=UpdaterKind.PHONE, place="phone of c-17"),
        ),
        programming_keys=(
            ProgrammingKeySpec(programming_key_id=CARRIER, serial="104290001", holder="u10001"),
        ),
    )


def make_world(
    *,
    seed: int = 7,
    physics: Physics | None = None,
    settings: CliqSettings | None = None,
    site: CliqSite | None = None,
) -> World:
    """A world with exact clocks, unless told otherwise."""
    account = site if site is not None else make_site()
    return World(seed, START, physics=physics or Physics.exact(), cliq=account, cliq_settings=settings)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


class Client:
    """A signed-in client; `call` insists on success, `refused` on a problem."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.http = httpx2.AsyncClient(base_url=BASE, transport=cliq.transport(world))

    async def sign_in(self) -> "Client":
        account = self.world.cliq.account
        session = await self.call("POST", "sessions", {"client": account.client, "secret": account.secret})
        self.http.headers["X-Session"] = session["session"]
        return self

    async def send(
        self, method: str, path: str, body: Any = None, *, match: int | None = None, **query: Any
    ) -> httpx2.Response:
        headers = {} if match is None else {"If-Match": f'"{match}"'}
        return await self.http.request(method, path, json=body, headers=headers, params=query)

    async def call(
        self, method: str, path: str, body: Any = None, *, match: int | None = None, **query: Any
    ) -> Any:
        answer = await self.send(method, path, body, match=match, **query)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def get(self, path: str, **query: Any) -> Any:
        return await self.call("GET", path, **query)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self.call("POST", path, body)

    async def refused(
        self, method: str, path: str, body: Any = None, *, match: int | None = None, **query: Any
    ) -> tuple[int, str, str | None]:
        """Status, code and field of the problem."""
        answer = await self.send(method, path, body, match=match, **query)
        problem = answer.json()
        assert set(problem) == {"code", "message", "field"}
        return answer.status_code, problem["code"], problem["field"]

    async def plan(self, key_id: UUID, **changes: Any) -> Any:
        """Replace a key's plan by the usual one with changes, with the revision as it is."""
        revision = (await self.get(f"keys/{key_id}"))["revision"]
        return await self.call("PUT", f"keys/{key_id}/plan", WIRE_PLAN | changes, match=revision)

    async def program(self, key_id: UUID, **changes: Any) -> None:
        """Plan, send, and hold the key to the updater on the wall."""
        await self.plan(key_id, **changes)
        await self.post(f"keys/{key_id}/send")
        assert self.world.present_at_updater(key_id, WALL)

    async def job(self, *tasks: tuple[UUID, UUID], kind: str = "block") -> Any:
        """A job of (cylinder, key) tasks for the programming key."""
        rows = [{"kind": kind, "cylinder": str(cylinder), "key": str(key)} for cylinder, key in tasks]
        return await self.post("jobs", {"programming_key": str(CARRIER), "tasks": rows})


async def signed_in(world: World, *, lasting: bool = True) -> Client:
    """A client with a session in this world, which does not idle out unless that is the matter."""
    if lasting:
        world.cliq.settings.session_idle = timedelta(days=365)
    return await Client(world).sign_in()
