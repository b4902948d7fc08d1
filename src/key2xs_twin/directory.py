"""Finding things in a world as people name them: by stamp, marking, place or id."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from key2xs_twin.world import World


class NotFoundError(LookupError):
    """No key, lock, right or person has this name."""


class Directory:
    """Finds things in a world by stamp, marking, name or id; looks each time, so new things are found too."""

    def __init__(self, world: World) -> None:
        self._world = world

    def key(self, name: str) -> UUID:
        """A key of either maker by its stamp or its id; ``cliq:`` or ``iloq:`` before a stamp that both have."""
        iloq, cliq = self._world.iloq.state.keys, self._world.cliq.state.keys
        found = _as_id(name)
        if found is not None and (found in iloq or found in cliq):
            return found
        maker, stamp = _split(name)
        ids = [k for k, record in iloq.items() if record.stamp == stamp and maker != "cliq"]
        ids += [k for k, record in cliq.items() if record.serial == stamp and maker != "iloq"]
        return _only("key", name, ids)

    def lock(self, name: str) -> UUID:
        """A lock of either maker by its marking or its id."""
        locks, cylinders = self._world.locks, self._world.cliq_field.cylinders
        found = _as_id(name)
        if found is not None and (found in locks or found in cylinders):
            return found
        maker, marking = _split(name)
        ids = [k for k, device in locks.items() if device.stamp == marking and maker != "cliq"]
        ids += [k for k, device in cylinders.items() if device.marking == marking and maker != "iloq"]
        return _only("lock", name, ids)

    def updater(self, name: str) -> UUID:
        """A CLIQ updater by its place or its id."""
        updaters = self._world.cliq_field.updaters
        found = _as_id(name)
        if found in updaters:
            return found
        return _only("updater", name, (k for k, device in updaters.items() if device.place == name))

    def programming_key(self, name: str) -> UUID:
        """A CLIQ programming key by its serial or its id."""
        carriers = self._world.cliq_field.programming_keys
        found = _as_id(name)
        if found in carriers:
            return found
        return _only("programming key", name, (k for k, device in carriers.items() if device.serial == name))

    def group(self, name: str) -> UUID:
        """A CLIQ cylinder group by its name or its id."""
        groups = self._world.cliq.state.groups
        found = _as_id(name)
        if found in groups:
            return found
        return _only("cylinder group", name, (k for k, record in groups.items() if record.name == name))

    def thing(self, name: str) -> UUID:
        """A lock, a key or an updater."""
        for look in (self.lock, self.key):
            try:
                return look(name)
            except NotFoundError:
                continue
        return self.updater(name)

    def marking(self, lock_id: UUID) -> str:
        """What is printed on a lock of either maker."""
        cylinder = self._world.cliq_field.cylinders.get(lock_id)
        return cylinder.marking if cylinder is not None else self._world.locks[lock_id].stamp

    def stamp(self, key_id: UUID | None) -> str | None:
        """What is printed on a key of either maker; None for a key in nobody's books."""
        if key_id is None:
            return None
        cliq, iloq = self._world.cliq.state.keys.get(key_id), self._world.iloq.state.keys.get(key_id)
        if cliq is not None:
            return cliq.serial
        return iloq.stamp if iloq is not None else None

    def right(self, name: str) -> UUID:
        """An access right by its name or its id."""
        rights = self._world.iloq.state.rights
        found = _as_id(name)
        if found in rights:
            return found
        return _only("right", name, (k for k, spec in rights.items() if spec.name == name))

    def person(self, name: str) -> UUID | None:
        """A person of the vendor's books by external id; None for an empty name."""
        if not name:
            return None
        persons = self._world.iloq.state.persons
        return _only("person", name, (k for k, spec in persons.items() if spec.external_person_id == name))

    def place_of(self, lock_id: UUID) -> str:
        """Where a lock is: its access point."""
        cylinder = self._world.cliq.state.cylinders.get(lock_id)
        if cylinder is not None:
            return cylinder.spec.place or cylinder.spec.marking
        spec = self._world.iloq.state.locks[lock_id].spec
        return spec.description or spec.stamp


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _only(kind: str, name: str, found: Iterable[UUID]) -> UUID:
    ids = list(found)
    if len(ids) != 1:
        raise NotFoundError(f"{len(ids) or 'no'} {kind}{'s' if len(ids) > 1 else ''} named {name!r}")
    return ids[0]


def _split(name: str) -> tuple[str, str]:
    """The maker that a name says it is of, and the rest."""
    maker, _, rest = name.partition(":")
    return (maker, rest) if maker in {"cliq", "iloq"} and rest else ("", name)
