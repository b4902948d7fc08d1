"""What would become of a key's exposure if something happened now. Pure; nothing is ever counted on it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from .exposure_types import KeyOnRecord
from .port import KeyKind, ProgrammingState
from .program import EMPTY_PROGRAM, ProgramOnDevice, ProgramState

__all__ = ["if_ordered_empty", "if_updated", "if_visited"]


def if_updated(record: KeyOnRecord, at: datetime) -> KeyOnRecord:
    """As if the key were held to an updater now and acknowledged what waits for it.

    Only an order that stands is delivered: without one, or with a change after it that was not ordered, an update
    changes nothing.
    """
    last = record.programs[-1] if record.programs else None
    if last is None or last.state is ProgramState.PROVEN or last.ordered_at is None:
        return record
    if record.kind is KeyKind.NORMAL and not last.program.opens_nothing:
        return record  # its limits change, and not what locks list
    return replace(
        record,
        programs=(replace(last, state=ProgramState.PROVEN, fetched_at=at, proven_at=at),),
        programming_state=ProgrammingState.PROGRAMMED,
        as_of=max(at, record.as_of),
        last_update_at=at,
    )


def if_visited(record: KeyOnRecord, locks: Iterable[str], at: datetime) -> KeyOnRecord:
    """As if a programming key had brought the block list to these locks now."""
    reached = {**dict.fromkeys(locks, at), **record.block_list_reached}
    return replace(record, block_list_reached=reached)


def if_ordered_empty(record: KeyOnRecord, at: datetime) -> KeyOnRecord:
    """As if the vendor took the order for the empty program now."""
    ordered = ProgramOnDevice(EMPTY_PROGRAM, ProgramState.POSSIBLE, written_at=at, ordered_at=at)
    return replace(
        record,
        programs=(*record.programs, ordered),
        programming_state=ProgrammingState.ORDERED,
        as_of=max(at, record.as_of),
    )
