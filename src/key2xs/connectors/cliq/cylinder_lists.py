"""Reading and writing the lists of cylinders: what a normal key may open. One request for each cylinder that changes."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from key2xs.core.errors import CallFailed, NeedsPerson, Unknown

from . import client as calls, payloads as wire
from .client import Changed
from .normal import Lists, lists_of, without_key
from .session import CliqSession

__all__ = ["CylinderLists"]

_TRIES = 3  # somebody else may change the same cylinder's list in between, for another key


class CylinderLists:
    """The lists of one locking system, by the session of one worker."""

    def __init__(self, session: CliqSession, *, largest_group: int) -> None:
        """A key group of up to `largest_group` keys is replaced by its members where one of them is taken off."""
        self._session, self._largest = session, largest_group

    async def of_key(self, key: str) -> Lists:
        """Return what the cylinders say about a key."""
        return lists_of((await self._session.request(calls.read_lists(key), wire.Listings)).items)

    async def change(self, key: str, *, put_in: Collection[str], take_off: Collection[str]) -> None:
        """Plan a key into cylinders and out of others; what was written before a failure stays written.

        Raises:
            Unknown: some were written; names them.
            CallFailed: nothing was written.
        """
        written: list[str] = []
        wanted = [(each, False) for each in sorted(take_off)] + [(each, True) for each in sorted(put_in)]
        for cylinder, lets_in in wanted:
            try:
                await self._change_one(key, cylinder, lets_in=lets_in)
            except CallFailed as failed:
                if not written:
                    raise
                left = ", ".join(each for each, _ in wanted if each not in written)
                raise Unknown(
                    f"key {key}: the lists of {', '.join(written)} were changed, those of {left} not ({failed})"
                ) from failed
            written.append(cylinder)

    async def _change_one(self, key: str, cylinder: str, *, lets_in: bool) -> None:
        for _ in range(_TRIES):
            now = await self._session.request(calls.read_list(cylinder), wire.CylinderList)
            then = await self._with(now, key) if lets_in else await self._without(now, key)
            if (set(then.keys), set(then.key_groups)) == (set(now.keys), set(now.key_groups)):
                return
            try:
                await self._session.request(calls.write_list(cylinder, then), wire.Nothing)
            except Changed:
                continue
            return
        raise NeedsPerson("CLIQ administrator", f"the list of cylinder {cylinder} keeps changing under us")

    async def _with(self, now: wire.CylinderList, key: str) -> wire.CylinderList:
        if now.key_groups and any(
            key in group.members for group in await self._groups() if group.id in now.key_groups
        ):
            return now
        return msgspec.structs.replace(now, keys=sorted({*now.keys, key}))

    async def _without(self, now: wire.CylinderList, key: str) -> wire.CylinderList:
        groups = await self._groups() if now.key_groups else []
        for group in groups:
            if group.id in now.key_groups and key in group.members and len(group.members) > self._largest:
                raise NeedsPerson(
                    "CLIQ administrator",
                    f"cylinder {now.cylinder} lists key {key} with a group of {len(group.members)} keys: "
                    f"more than the {self._largest} that are listed one by one instead",
                )
        return without_key(now, key, groups)

    async def _groups(self) -> list[wire.KeyGroup]:
        return (await self._session.request(calls.key_groups(), wire.KeyGroups)).items
