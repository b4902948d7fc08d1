"""Exposure of many keys at many locks: evaluated once per group of locks that are alike, not once per pair.

For one key, locks are alike when the same of its possible programs open them, they are of one class, the block
list reached them at the same instant and the same grant still allows them. Sets of locks are integers with one
bit a lock, so that thousands of locks are cut with a few machine operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from key2xs.core.tri import NO

from .exposure import LatestOpenings, expose
from .exposure_types import (
    DEFAULT_SETTINGS,
    KINDS_WITH_CLOCK,
    Exposure,
    ExposureSettings,
    KeyOnRecord,
    LockClass,
    WorksUntil,
    lock_class,
)
from .port import VendorLock
from .works_until import works_until

__all__ = ["ExposureGroup", "ExposureMap"]

_Label = TypeVar("_Label", datetime, str)


@dataclass(frozen=True, slots=True)
class ExposureGroup:
    """Locks of one key that have the same answer."""

    exposure: Exposure
    count: int
    _mask: int = field(repr=False)
    _names: Sequence[str] = field(repr=False, compare=False)

    @property
    def locks(self) -> tuple[str, ...]:
        """The vendor ids of the locks, in catalogue order."""
        return tuple(self._names[index] for index in _bits(self._mask))


class ExposureMap:
    """The locks of one key system, indexed once; ask it for any number of keys.

    A lock with `hidden_rights` may accept rights that we cannot see: a key with hidden rights counts as opening it
    whatever its visible program says.
    """

    def __init__(self, locks: Iterable[VendorLock], *, settings: ExposureSettings = DEFAULT_SETTINGS) -> None:
        """Index the locks by right and by class."""
        self.settings = settings
        self._names: list[str] = []
        self._bit: dict[str, int] = {}
        self._by_right: dict[str, int] = {}
        self._by_class: dict[LockClass, int] = {}
        self._by_class_for_clocks: dict[LockClass, int] = {}
        self._hidden = 0
        for index, lock in enumerate(locks):
            bit = 1 << index
            self._names.append(lock.vendor_lock)
            self._bit[lock.vendor_lock] = bit
            group = lock_class(lock)
            self._by_class[group] = self._by_class.get(group, 0) | bit
            alike = LockClass(NO, NO, group.online_required)
            self._by_class_for_clocks[alike] = self._by_class_for_clocks.get(alike, 0) | bit
            if lock.hidden_rights:
                self._hidden |= bit
            for right in lock.rights:
                self._by_right[right] = self._by_right.get(right, 0) | bit
        self._by_rights: dict[frozenset[str], int] = {}

    def of_key(
        self, key: KeyOnRecord, *, allowed: Mapping[str, str] | None = None, also: Iterable[str] = ()
    ) -> tuple[ExposureGroup, ...]:
        """Answer for every lock that a possible program of the key opens, and for `also`.

        Args:
            key: `programs` already cut by `possible_programs`.
            allowed: lock -> the grant that still allows it.
            also: locks to answer for although nothing in the key opens them (they come back as *proven end*).
        """
        groups: list[ExposureGroup] = []
        latest = LatestOpenings(key, self.settings)
        # A key that judges time by its own clock does so at every lock.
        classes = self._by_class_for_clocks if key.kind in KINDS_WITH_CLOCK else self._by_class
        parts = list(self._parts((1 << len(self._names)) - 1, key, allowed or {}))
        for opening, region in self._regions(key, also):
            for group, members in classes.items():
                if not (mask := region & members):
                    continue
                for labelled, block_list_at, ended_at, grant in parts:
                    if not (part := mask & labelled):
                        continue
                    exposure = expose(
                        key,
                        opening,
                        group,
                        settings=self.settings,
                        block_list_at=block_list_at,
                        ended_at=ended_at,
                        allowed_by=grant,
                        latest=latest,
                    )
                    groups.append(ExposureGroup(exposure, part.bit_count(), part, self._names))
        return tuple(groups)

    def of_pair(self, key: KeyOnRecord, lock: str, *, allowed_by: str | None = None) -> Exposure:
        """Answer for one key and one lock. Raises KeyError for a lock that is not in the catalogue."""
        bit = self._bit[lock]
        return expose(
            key,
            self._opening(key, bit),
            self._class_of(bit),
            settings=self.settings,
            block_list_at=key.block_list_reached.get(lock),
            ended_at=self._ended(key).get(lock),
            allowed_by=allowed_by,
        )

    def works_until(self, key: KeyOnRecord, lock: str) -> WorksUntil:
        """Answer the twin question for one key and one lock. Raises KeyError like `of_pair`."""
        return works_until(key, self._opening(key, self._bit[lock]), settings=self.settings)

    def opens(self, key: KeyOnRecord) -> frozenset[str]:
        """Return every lock that a possible program of the key opens, limits aside, and that was not proven ended."""
        mask = 0
        for opened in self._masks(key):
            mask |= opened
        for lock in self._ended(key):
            mask &= ~self._bit.get(lock, 0)
        return frozenset(self._names[index] for index in _bits(mask))

    def locks_of(self, rights: frozenset[str]) -> frozenset[str]:
        """Return the locks that accept any of these rights."""
        return frozenset(self._names[index] for index in _bits(self._locks_of(rights)))

    def _opening(self, key: KeyOnRecord, bit: int) -> list[bool]:
        return [bool(mask & bit) for mask in self._masks(key)]

    def _class_of(self, bit: int) -> LockClass:
        return next(group for group, members in self._by_class.items() if members & bit)

    def _masks(self, key: KeyOnRecord) -> list[int]:
        hidden = self._hidden if key.hidden_rights else 0
        return [self._locks_of(record.program.rights) | hidden for record in key.programs]

    def _locks_of(self, rights: frozenset[str]) -> int:
        mask = self._by_rights.get(rights)
        if mask is None:
            mask = 0
            for right in rights:
                mask |= self._by_right.get(right, 0)
            self._by_rights[rights] = mask
        return mask

    def _regions(self, key: KeyOnRecord, also: Iterable[str]) -> Iterator[tuple[list[bool], int]]:
        """Cut the locks by which of the possible programs open them."""
        masks = self._masks(key)
        everything = 0
        for mask in masks:
            everything |= mask
        for lock in also:
            everything |= self._bit.get(lock, 0)
        regions: list[tuple[list[bool], int]] = [([], everything)]
        for mask in masks:
            regions = [
                ([*opening, opens], part)
                for opening, region in regions
                for opens, part in ((True, region & mask), (False, region & ~mask))
                if part
            ]
        yield from regions

    def _parts(
        self, mask: int, key: KeyOnRecord, allowed: Mapping[str, str]
    ) -> Iterator[tuple[int, datetime | None, datetime | None, str | None]]:
        """Cut a set of locks by when the block list reached them, when they ended and the grant that allows them."""
        if not key.block_list_reached and not key.ended_at and not allowed:
            yield mask, None, None, None
            return
        for reached, instant in self._labelled(mask, key.block_list_reached):
            for off, ended in self._labelled(reached, self._ended(key)):
                for part, grant in self._labelled(off, allowed):
                    yield part, instant, ended, grant

    def _ended(self, key: KeyOnRecord) -> Mapping[str, datetime]:
        """Return the locks that let the key in no longer, less those that a program written since then lists again."""
        if not key.ended_at:
            return key.ended_at
        again = 0
        for record in key.programs:
            if record.written_at >= key.as_of:
                again |= self._locks_of(record.program.rights)
        return {lock: at for lock, at in key.ended_at.items() if not self._bit.get(lock, 0) & again}

    def _labelled(self, mask: int, labels: Mapping[str, _Label]) -> Iterator[tuple[int, _Label | None]]:
        if not labels:
            yield mask, None
            return
        by_label: dict[_Label, int] = {}
        for lock, label in labels.items():
            bit = self._bit.get(lock, 0) & mask
            if bit:
                by_label[label] = by_label.get(label, 0) | bit
        for label, part in by_label.items():
            yield part, label
            mask &= ~part
        if mask:
            yield mask, None


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
