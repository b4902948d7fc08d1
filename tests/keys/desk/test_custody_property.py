"""Whatever people and cabinets do: at most one person has a key at any instant as known, and no key is lost or doubled.

The oracle is a dictionary: who has which key after each act that was accepted.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings, strategies as st

from key2xs.core.clock import ManualClock
from key2xs.core.database import Connection, Database
from key2xs.core.errors import Conflict
from key2xs.core.ids import KeyId, PersonId, new_id
from key2xs.core.postgres import RoleDsns
from key2xs.core.settings import Settings
from key2xs.core.vault import Vault
from key2xs.keys.desk import handing, transfers
from key2xs.keys.desk.evidence import Handling
from key2xs.services import Services, build_services
from tests.conftest import START
from tests.support.database import DatabaseServer

from .conftest import Prepared

MINUTE = timedelta(minutes=1)
STAMPS = ("K001", "K002")
PEOPLE = ("u1", "u2", "u3")

acts = st.lists(
    st.tuples(
        st.sampled_from(["hand_out", "take_back", "transfer", "undo", "team", "late_taken"]),
        st.sampled_from(STAMPS),
        st.sampled_from(PEOPLE),
    ),
    max_size=10,
)


@settings(max_examples=10)
@given(acts)
def test_a_key_has_one_holder_and_transfers_lose_and_double_nothing(
    databases: DatabaseServer, prepared: Prepared, many: list[tuple[str, str, str]]
) -> None:
    with databases.fresh(prepared.database) as dsns:
        asyncio.run(play(dsns, prepared, many))


async def play(dsns: RoleDsns, prepared: Prepared, many: Sequence[tuple[str, str, str]]) -> None:
    """Play one history and compare at every step."""
    clock = ManualClock(START)
    database = await Database.open(dsns.app)
    vault_database = await Database.open(dsns.vault)
    try:
        # Nothing sealed is read here, so any key will do.
        vault = Vault(vault_database, bytes(range(32)), clock)
        services = build_services(Settings(), database, vault, clock, clock)
        game = Game(services, clock, prepared.persons)
        for act, stamp, ref in many:
            await game.do(act, stamp, ref)
            await game.compare()
    finally:
        await database.close()
        await vault_database.close()


class Game:
    """The product, and what is true."""

    def __init__(self, services: Services, clock: ManualClock, persons: dict[str, PersonId]) -> None:
        self.services, self.clock, self.persons = services, clock, persons
        self.held: dict[str, str] = {}
        self.fresh: set[str] = set()

    async def do(self, act: str, stamp: str, ref: str) -> None:
        """Do one act; the oracle says beforehand whether it must be accepted."""
        self.clock.advance_to(self.clock.now() + MINUTE)
        has = self.held.get(stamp)
        allowed = {
            "hand_out": has is None,
            "take_back": has is not None,
            "transfer": has is not None and has != ref,
            "undo": stamp in self.fresh,
            "team": True,
            "late_taken": True,
        }[act]
        try:
            await self.services.database.transact(lambda tx: self.work(tx, act, stamp, ref))
        except Conflict:
            assert not allowed, (act, stamp, ref, self.held)
            return
        assert allowed, (act, stamp, ref, self.held)
        if act == "team":
            self.held = dict.fromkeys(self.held, ref)
        elif act in {"hand_out", "transfer"}:
            self.held[stamp] = ref
        elif act in {"take_back", "undo"}:
            self.held.pop(stamp, None)
        self.fresh = {stamp} if act == "hand_out" else set()

    async def work(self, tx: Connection, act: str, stamp: str, ref: str) -> None:
        """The act itself."""
        desk, at, person = self.services.key_desk, self.clock.now(), self.persons[ref]
        key = await desk.registry.get_key(tx, stamp)
        if act == "hand_out":
            await handing.hand_out(tx, desk, key.id, person, actor="user:desk", at=at)
        elif act == "take_back":
            await handing.take_back(tx, desk, key.id, actor="user:desk", at=at)
        elif act == "undo":
            await handing.undo(tx, desk, key.id, actor="user:desk", at=at)
        elif act == "transfer":
            await transfers.transfer(tx, desk, key.id, person, actor="user:desk", at=at)
        elif act == "late_taken":
            # A cabinet told it late, from before anything happened here: it may change the past, never the present.
            handling = Handling(new_id(), START - MINUTE, "cabinet", "out", person, mark=f"1{at.isoformat()}")
            back = Handling(new_id(), START, "cabinet", "back", person, mark=f"0{at.isoformat()}")
            for each in (handling, back):
                await desk.custody.told(
                    tx, "keys:custody:hand_out", key, each, actor="system:cabinet/x", at=at, mark=each.mark
                )
        else:
            wanted = [((await desk.registry.get_key(tx, each)).id, person) for each in STAMPS]
            await transfers.transfer_many(tx, desk, wanted, actor="user:desk", at=at)

    async def compare(self) -> None:
        """The register says what is true now, and at any instant one person at most had a key."""
        refs = {person: ref for ref, person in self.persons.items()}
        async with self.services.database.read() as tx:
            rows = await tx.fetch(
                "SELECT key_id, stamp, person_id, lower(during) AS a, upper(during) AS b FROM key_custody"
                " JOIN key_key ON key_key.id = key_id WHERE upper_inf(known) ORDER BY key_id, lower(during)"
            )
        assert {row["stamp"]: refs[row["person_id"]] for row in rows if row["b"] is None} == self.held
        by_key: dict[KeyId, list[tuple[object, object]]] = {}
        for row in rows:
            by_key.setdefault(row["key_id"], []).append((row["a"], row["b"]))
        for spans in by_key.values():
            for (_, ended), (began, _) in pairwise(spans):
                assert ended is not None
                assert ended <= began  # type: ignore[operator]
