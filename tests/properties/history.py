"""Histories: short strings of acts by everybody around the product, and what must be true after each of them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from tests.support.spine import Spine
from tests.support.stage import Stage

from .bounds import Bounds
from .facts_oracle import false_facts

BETWEEN = timedelta(seconds=7)  # so that no two acts carry the same instant


@dataclass
class History:
    """One history on one stage."""

    stage: Stage
    safe: bool = True
    """Check after each act; a history that only sets a scene does not."""
    permits: list[str] = field(default_factory=list)
    bounds: Bounds = field(default_factory=Bounds)
    told: list[str] = field(default_factory=list)
    signed: dict[str, list[datetime]] = field(default_factory=dict)
    handed: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    """The permit system sends no sign of life."""

    @property
    def spine(self) -> Spine:
        """The product and the twin."""
        return self.stage.spine

    async def go_on(self, by: timedelta = BETWEEN) -> None:
        """Let what was said arrive, a few seconds pass, and check."""
        await self.stage.send()
        await self.stage.settle()
        await self.wait(by, by)

    async def wait(self, by: timedelta, step: timedelta) -> None:
        """Let time pass, checking at every step."""
        end = self.spine.now + by
        while self.spine.now < end:
            at = min(self.spine.now + step, end)
            self.spine.world.advance_to(at)
            self.spine.clock.advance_to(at)
            if not self.silent:
                self.spine.ptw.heartbeat(at=at)
            await self.stage.send()
            await self.stage.settle()
            await self.check()

    async def check(self) -> None:
        """Fail when a promise is broken at this instant."""
        if not self.safe:
            return
        async with self.spine.services.database.read() as tx:
            wrong = await false_facts(tx, self.spine.now)
        wrong += await self.bounds.check(self.spine)
        wrong += await self._came_back()
        assert not wrong, "\n".join([*wrong, f"at {self.spine.now}", *self.told])

    async def _came_back(self) -> list[str]:
        """P7: a lease that follows one taken away has a signature in between; what is held was taken away before."""
        rows = await self.spine.fetch(
            "SELECT new.id, new.basis_ref, new.decided_at, coalesce(old.held_since, old.ended_at) AS ended_at, "
            "old.end_reason FROM grant_lease AS old "
            "JOIN grant_lease AS new ON new.person_id = old.person_id AND new.basis_ref = old.basis_ref "
            "AND new.basis_step = old.basis_step AND new.id > old.id "
            "WHERE old.state = 'ended' AND old.end_reason NOT IN ('lapsed', 'renewed') "
            "AND new.state NOT IN ('ended', 'held')"
        )
        wrong = []
        for row in rows:
            signed = self.signed.get(await self._permit_of(row["basis_ref"]), [])
            if not any(row["ended_at"] < at for at in signed):
                wrong.append(f"{row['basis_ref']} came back by itself after {row['end_reason']}")
        return wrong

    async def _permit_of(self, ref: str) -> str:
        if not ref.startswith("permit:"):
            return ref
        rows = await self.spine.fetch("SELECT external_id FROM work_permit WHERE id = $1", UUID(ref[7:]))
        return str(rows[0]["external_id"])

    def permit(self, number: int) -> str:
        """Return one of the permits, or nothing where there is none."""
        return self.permits[number % len(self.permits)] if self.permits else ""

    def sign(self, permit: str) -> None:
        """Somebody signed for this: from now on it may be given again."""
        self.signed.setdefault(permit, []).append(self.spine.now)
