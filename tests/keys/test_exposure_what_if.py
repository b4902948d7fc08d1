"""What would help: an update delivers only what was ordered, a visit ends exposure only where it was."""

from datetime import timedelta

from key2xs.keys.exposure import ExposureKind, KeyOnRecord
from key2xs.keys.exposure_map import ExposureMap
from key2xs.keys.exposure_what_if import if_updated, if_visited
from key2xs.keys.port import KeyKind, ProgrammingState, VendorLock
from key2xs.keys.program import EMPTY_PROGRAM, Program, ProgramOnDevice, ProgramState
from tests.conftest import START

NINE = START + timedelta(hours=1)
OPENS = ProgramOnDevice(
    Program(frozenset("a")), ProgramState.PROVEN, START, ordered_at=START, proven_at=START
)
SENT = ProgramOnDevice(EMPTY_PROGRAM, ProgramState.POSSIBLE, NINE, ordered_at=NINE)
PLACES = ExposureMap(
    [VendorLock("l1", "l1", rights=frozenset("a")), VendorLock("l2", "l2", rights=frozenset("a"))]
)


def key(*programs: ProgramOnDevice) -> KeyOnRecord:
    return KeyOnRecord("key-1", KeyKind.METAL, programs, ProgrammingState.ORDERED, as_of=NINE)


def kinds(record: KeyOnRecord) -> dict[str, ExposureKind]:
    groups = PLACES.of_key(record, also=("l1", "l2"))
    return {lock: group.exposure.kind for group in groups for lock in group.locks}


def test_an_update_that_delivers_the_narrower_program_is_a_proven_end() -> None:
    assert set(kinds(key(OPENS, SENT)).values()) == {ExposureKind.NO_BOUND}
    assert set(kinds(if_updated(key(OPENS, SENT), NINE)).values()) == {ExposureKind.PROVEN_END}


def test_an_update_delivers_nothing_that_was_not_ordered() -> None:
    planned = ProgramOnDevice(EMPTY_PROGRAM, ProgramState.PLANNED, NINE)
    for record in (key(OPENS), key(OPENS, planned), key(OPENS, SENT, planned), key()):
        assert if_updated(record, NINE) is record


def test_a_visit_ends_exposure_at_that_lock_and_no_other() -> None:
    visited = kinds(if_visited(key(OPENS, SENT), ["l1"], NINE))
    assert visited == {"l1": ExposureKind.PROVEN_END, "l2": ExposureKind.NO_BOUND}
