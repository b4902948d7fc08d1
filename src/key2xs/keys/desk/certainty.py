"""How sure it is who had a key when it opened something: pure words over what the custodies say."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from key2xs.core.ids import PersonId

Certainty: TypeAlias = Literal["sure", "crew", "lost", "between", "in_cabinet", "unknown"]

BETWEEN: Final = timedelta(minutes=2)
"""So near to a change of hands nobody can say who had the key: people hand keys over and then walk to the desk."""


@dataclass(frozen=True, slots=True)
class Custodian:
    """Who had a key at an instant, as known now. `crew_size` counts the leader too."""

    person_id: PersonId | None
    certainty: Certainty
    crew_size: int | None = None


NOBODY_KNOWN: Final = Custodian(None, "unknown")


def how_sure(
    person_id: PersonId | None,
    *,
    crew_size: int | None,
    lost: bool,
    changing: bool,
    disputed: bool,
    in_cabinet: bool,
) -> Custodian:
    """Weigh what is known. A lost key outranks all: whoever was handed it does not have it."""
    certainty: Certainty
    if lost:
        certainty = "lost"
    elif disputed or changing:
        certainty = "between"
    elif person_id is not None:
        certainty = "crew" if crew_size is not None and crew_size > 1 else "sure"
    else:
        certainty = "in_cabinet" if in_cabinet else "unknown"
    return Custodian(person_id, certainty, crew_size if certainty == "crew" else None)
