"""What a caller of the port knows about one key, kept as the reconciler keeps it."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from key2xs.core.errors import CallFailed, Unknown
from key2xs.keys.exposure import KeyOnRecord, possible_programs
from key2xs.keys.port import KeyKind, KeyReading, KeySystemPort, ProgrammingState
from key2xs.keys.program import Program, ProgramOnDevice, ProgramState
from key2xs_twin.world import World


@dataclass
class Watch:
    """One key under watch."""

    world: World
    connector: KeySystemPort
    key: UUID
    kind: KeyKind
    since: datetime
    records: list[ProgramOnDevice] = field(default_factory=list)
    reading: KeyReading | None = None

    async def read(self) -> None:
        """Read the key and note what it proves."""
        try:
            self.reading = reading = await self.connector.read_key(str(self.key))
        except CallFailed:
            return
        assert reading.on_device is not None
        if not self.records:
            self.records.append(
                ProgramOnDevice(reading.on_device, ProgramState.PROVEN, self.since, proven_at=reading.as_of)
            )
        if reading.programming_state is ProgrammingState.PROGRAMMED and reading.planned == reading.on_device:
            at = reading.as_of
            proof = ProgramOnDevice(reading.on_device, ProgramState.PROVEN, at, ordered_at=at, proven_at=at)
            self.records = [proof]
            return
        last = self.records[-1]
        if reading.planned is not None and last.program != reading.planned:
            last = ProgramOnDevice(reading.planned, ProgramState.PLANNED, reading.as_of)
            self.records.append(last)
        if last.ordered_at is None and reading.programming_state.is_waiting:
            last = replace(last, state=ProgramState.POSSIBLE, ordered_at=reading.as_of)
        if reading.programming_state is ProgrammingState.FETCHED:
            last = replace(last, fetched_at=reading.as_of)
        self.records[-1] = last

    async def write(self, program: Program, *, order: bool) -> None:
        """Write and order a program; the record stands before the call is made."""
        await self.read()
        if self.reading is None:
            return
        self.records.append(ProgramOnDevice(program, ProgramState.PLANNED, self.world.now))
        try:
            written = await self.connector.write_program(str(self.key), program, self.reading)
            assert written.planned is not None
            self.records[-1] = replace(self.records[-1], program=written.planned)
            if not order:
                return
            await self.connector.order(str(self.key))
        except Unknown:
            return  # it may have happened; the next reading tells
        except CallFailed:
            return
        at = self.world.now
        self.records[-1] = replace(self.records[-1], state=ProgramState.POSSIBLE, ordered_at=at)
        self.reading = replace(self.reading, programming_state=ProgrammingState.ORDERED, as_of=at)

    def on_record(self) -> KeyOnRecord:
        """Return what exposure is computed from."""
        assert self.reading is not None
        return KeyOnRecord(
            str(self.key),
            self.kind,
            possible_programs(self.records),
            self.reading.programming_state,
            as_of=self.reading.as_of,
            last_update_at=self.reading.last_update_at,
            offline_updates=self.reading.offline_updates,
            ended_at=self.reading.ended_at,
        )
