import asyncio
from dataclasses import replace
import pytest
from key2xs.keys.reconciler import Reconciler
from tests.properties.test_adoption import play

async def test_planted(databases, monkeypatch):
    plan = Reconciler._plan
    async def wrong(self, claim, now):
        key, target, wanted = await plan(self, claim, now)
        return replace(key, adopted_at=key.adopted_at or now), target, wanted
    monkeypatch.setattr(Reconciler, "_plan", wrong)
    with pytest.raises(AssertionError, match="was written"):
        await play(databases, [("mode", 1, 2), ("wait", 1, 0)])

async def test_planted_kept(databases, monkeypatch):
    from key2xs.keys.adoption import standing
    async def forgets(self, tx, key, at, *, also=()):
        from key2xs.keys.adoption.kept import Kept
        from key2xs.keys.program import EMPTY_PROGRAM
        return Kept(EMPTY_PROGRAM, {})
    monkeypatch.setattr(standing.Standing, "now", forgets)
    with pytest.raises(AssertionError, match="lost what nobody ended"):
        await play(databases, [("run", 0, 0), ("wait", 3, 0), ("wait", 3, 0)])
