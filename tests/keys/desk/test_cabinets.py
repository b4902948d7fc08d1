"""What cabinets tell is taken in once, in any order; what does not fit is a finding and never a silent change."""

import csv
import dataclasses
import io
import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from key2xs.core.errors import InvalidInput
from key2xs.core.settings import Settings, parse_settings
from key2xs.keys.desk.cabinets.events import read_message, read_row
from key2xs.keys.desk.cabinets.files import cabinets, import_events, may_take
from key2xs.keys.desk.cabinets.taking import TakerReader
from key2xs.keys.desk.cabinets.webhook import BODY_LIMIT, Answer, CabinetWebhook
from key2xs.keys.desk.findings import open_findings, settle
from key2xs.ledger import ReaderLoop
from key2xs.work.signature import sign

from .site import CABINETS, HOUR, MINUTE, SECRET, Desk, personnel_no


class Matcher(TakerReader):
    """The reader of an installation that knows the cabinets of these tests."""

    name = "matcher"


async def test_a_key_is_taken_from_a_cabinet_and_comes_back(desk: Desk) -> None:
    began = desk.now
    await desk.tell(desk.event("e1", "item_taken", began, "K001", "u1"))
    assert await desk.holder("K001") == "u1"
    desk.pass_time(HOUR)
    await desk.tell(desk.event("e2", "item_returned", desk.now, "K001", "u1"))
    assert (await desk.custodian("K001")).certainty == "in_cabinet"
    assert await desk.spans("K001") == [("u1", began, desk.now)]
    assert await desk.findings() == []


async def test_a_message_that_comes_twice_changes_nothing_the_second_time(desk: Desk) -> None:
    event = desk.event("e1", "item_taken", desk.now, "K001", "u1")
    assert [each.outcome for each in await desk.tell(event, event)] == ["new", "known"]
    assert [each.outcome for each in await desk.tell(event)] == ["known"]
    assert await desk.kinds("keys:custody:") == ["keys:custody:hand_out"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[1::4])
async def test_late_and_out_of_order_events_give_the_same_custodies(
    desk: Desk, order: tuple[int, ...]
) -> None:
    """The later half of a day may arrive before its first half: a cabinet that was cut off sends when it can."""
    began = desk.now
    desk.pass_time(timedelta(hours=10))
    events = [
        desk.event("e1", "item_taken", began, "K001", "u1"),
        desk.event("e2", "item_returned", began + HOUR, "K001", "u1"),
        desk.event("e3", "item_taken", began + 2 * HOUR, "K001", "u2"),
        desk.event("e4", "item_returned", began + 3 * HOUR, "K001", "u2"),
    ]
    for place in order:
        await desk.tell(events[place])
    assert await desk.spans("K001") == [
        ("u1", began, began + HOUR),
        ("u2", began + 2 * HOUR, began + 3 * HOUR),
    ]
    assert await desk.findings() == [], "what a later word explains is settled by it"


async def test_a_key_handed_out_twice_is_a_finding_and_a_person_says_who_has_it(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    desk.pass_time(HOUR)
    taken_at = desk.now
    await desk.tell(desk.event("e1", "item_taken", taken_at, "K001", "u2"))
    assert await desk.holder("K001") == "u1", "nothing is overwritten"
    assert await desk.findings() == ["taken_while_out"]
    assert (await desk.custodian("K001")).certainty == "between"
    desk.pass_time(HOUR)
    async with desk.spine.services.database.read() as tx:
        finding = (await open_findings(tx))[0]
    assert (desk.ref(finding.person_id), desk.ref(finding.holder_id)) == ("u2", "u1")

    async def say(holder: str | None) -> None:
        await desk.do(
            lambda tx: settle(
                tx, desk.parts, finding.id, reason="rang both", actor="user:desk", at=desk.now,
                holder=desk.person(holder) if holder else None,
            )
        )  # fmt: skip

    with pytest.raises(InvalidInput, match="say who of the two has the key"):
        await say(None)
    with pytest.raises(InvalidInput):
        await say("u3")
    await say("u2")
    assert await desk.holder("K001") == "u2"
    assert await desk.holder("K001", taken_at + 5 * MINUTE) == "u2", (
        "since it was taken, not since it was settled"
    )
    assert (await desk.custodian("K001")).certainty == "sure"
    assert await desk.findings() == []


async def test_whoever_had_it_may_have_it_still(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    desk.pass_time(HOUR)
    await desk.tell(desk.event("e1", "item_taken", desk.now, "K001", "u2"))
    async with desk.spine.services.database.read() as tx:
        finding = (await open_findings(tx))[0]
    await desk.do(
        lambda tx: settle(
            tx,
            desk.parts,
            finding.id,
            reason="wrong slot",
            actor="user:desk",
            at=desk.now,
            holder=desk.person("u1"),
        )
    )
    assert await desk.holder("K001") == "u1"
    # A late word from before does not open again what a person has settled.
    await desk.tell(desk.event("e0", "item_returned", desk.now - 2 * HOUR, "K001", None))
    assert await desk.findings() == []


async def test_a_desk_that_has_the_key_in_hand_is_told_what_the_cabinet_missed(desk: Desk) -> None:
    began = desk.now
    desk.pass_time(HOUR)
    await desk.hand_out("K001", "u2")
    desk.pass_time(HOUR)
    await desk.tell(desk.event("e1", "item_taken", began, "K001", "u1"))
    assert await desk.spans("K001") == [("u1", began, began + HOUR), ("u2", began + HOUR, None)]
    assert await desk.findings() == ["handed_out_while_out"]


async def test_returned_by_somebody_else_outside_schedule_forced_and_offline_are_findings(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    desk.pass_time(MINUTE)
    await desk.tell(
        desk.event("e1", "item_returned_by_other", desk.now, "K001", "u2"),
        desk.event("e2", "item_removed_outside_schedule", desk.now, "K002", "u3"),
        desk.event("e3", "door_forced", desk.now),
        desk.event("e4", "cabinet_offline", desk.now),
    )
    assert await desk.holder("K001") is None
    assert await desk.holder("K002") == "u3"
    assert sorted(await desk.findings()) == [
        "cabinet_offline", "door_forced", "item_removed_outside_schedule", "returned_by_other",
    ]  # fmt: skip
    desk.pass_time(MINUTE)
    await desk.tell(desk.event("e5", "cabinet_online", desk.now))
    assert "cabinet_offline" not in await desk.findings()
    # An outage that is over, told late, is nothing to look at.
    await desk.tell(desk.event("e6", "cabinet_offline", desk.now - 10 * MINUTE))
    assert "cabinet_offline" not in await desk.findings()
    async with desk.spine.services.database.read() as tx:
        assert [(each.name, each.online, each.keys) for each in await cabinets(tx)] == [("NORTH-1", True, 1)]


async def test_a_cabinet_that_calls_a_key_overdue_starts_the_escalation(desk: Desk) -> None:
    await desk.hand_out("K001", "u1", due_at=desk.now + 9 * HOUR)
    desk.pass_time(HOUR)
    await desk.tell(desk.event("e1", "item_overdue", desk.now, "K001"))
    await desk.spine.settle()
    assert await desk.kinds("keys:overdue:") == ["keys:overdue:due"]


async def test_unknown_keys_and_people_are_kept_and_named_later(desk: Desk) -> None:
    await desk.tell(desk.event("e1", "item_taken", desk.now, "X999", "u1"))
    assert await desk.findings() == ["unknown_key"]
    await desk.tell(desk.event("e2", "item_taken", desk.now, "K001", "00009"))
    assert sorted(await desk.findings()) == ["taken_by_unknown", "unknown_key"]
    assert (await desk.custodian("K001")).certainty == "unknown"
    rows = await desk.spine.fetch("SELECT * FROM key_cabinet_event WHERE event_id = 'e2'")
    assert b"00009" not in rows[0]["ref_sealed"]
    took_at = desk.now
    desk.pass_time(HOUR)
    desk.spine.persons["u9"] = await desk.spine.person("u9", employee_number="00009")
    await ReaderLoop(desk.spine.services.database, Matcher(desk.parts)).step(desk.now)
    assert await desk.holder("K001") == "u9"
    assert await desk.spans("K001") == [("u9", took_at, None)]
    assert await desk.findings() == ["unknown_key"]
    rows = await desk.spine.fetch("SELECT ref_sealed FROM key_cabinet_event WHERE event_id = 'e2'")
    assert rows[0]["ref_sealed"] is None
    texts = await desk.spine.fetch("SELECT body::text AS body FROM log_body")
    assert all("00009" not in row["body"] for row in texts)


async def test_a_reported_or_blocked_key_that_a_cabinet_sees_is_told(desk: Desk) -> None:
    from .test_mishaps import lose

    await desk.hand_out("K001", "u1")
    await lose(desk, "K001")
    desk.pass_time(MINUTE)
    await desk.tell(desk.event("e1", "item_returned", desk.now, "K001", "u1"))
    assert await desk.findings() == ["reported_key_seen"]
    assert (await desk.custodian("K001")).certainty == "lost", "until somebody says that it was found"


async def test_a_clock_that_runs_ahead_is_told_and_orders_nothing(desk: Desk) -> None:
    await desk.tell(desk.event("e1", "item_taken", desk.now + HOUR, "K001", "u1"))
    assert await desk.findings() == ["clock_ahead"]
    assert await desk.spans("K001") == [("u1", desk.now, None)]


async def test_a_stamp_of_two_systems_is_not_guessed_for_a_cabinet(desk: Desk) -> None:
    await desk.second_system(["K001"])
    await desk.tell(desk.event("e1", "item_taken", desk.now, "K001", "u1"))
    assert await desk.findings() == ["ambiguous_key"]
    assert await desk.spine.fetch("SELECT * FROM key_custody") == []


def message(event_id: str = "e1", **more: Any) -> bytes:
    return msgspec.json.encode(
        {
            "id": event_id,
            "event": "item_taken",
            "time": "2026-03-02T17:00:00Z",
            "item": "K001",
            "person": "00001",
        }
        | more
    )


async def test_only_a_signed_message_is_taken_in(desk: Desk) -> None:
    hook = CabinetWebhook(desk.spine.services.database, desk.parts, desk.spine.clock)
    body = message(cabinet="NORTH-1", slot=7)
    headers = {"content-type": "application/json", **sign("m1", desk.now, body, secret=CABINETS.secrets[0])}
    assert (await hook.receive("south", headers, body)).status == 404
    assert (await hook.receive("north", {"content-type": "application/json"}, body)).status == 401
    assert (await hook.receive("north", headers, body + b" ")).status == 401
    assert (await hook.receive("north", headers | {"content-type": "text/csv"}, body)).status == 415
    answer = await hook.receive("north", headers, body)
    assert (answer.status, answer.document) == (
        202, {"events": [{"event_id": "e1", "outcome": "new", "findings": ()}]},
    )  # fmt: skip
    assert (await hook.receive("north", headers, body)).status == 204
    assert await desk.holder("K001") == "u1"
    assert SECRET not in repr(CABINETS)


class Sender:
    """A cabinet's mapping layer: signs and posts, and has a desk whose source is set as a test wants it."""

    def __init__(self, desk: Desk, **settings: Any) -> None:
        self.desk, self.sent = desk, 0
        source = msgspec.structs.replace(CABINETS, **settings)
        other = msgspec.structs.replace(source, name="south")
        parts = dataclasses.replace(desk.parts, cabinets=(source, other))
        self.hook = CabinetWebhook(desk.spine.services.database, parts, desk.spine.clock)

    async def post(self, body: bytes, source: str = "north") -> Answer:
        self.sent += 1
        signed = sign(f"m{self.sent}", self.desk.now, body, secret=CABINETS.secrets[0])
        return await self.hook.receive(source, {"content-type": "application/json", **signed}, body)

    async def events(self, number: int, source: str = "north", **more: Any) -> Answer:
        """Send so many events in one message, about a key that nobody knows."""
        ids = [f"{source}-{self.sent}-{n}" for n in range(number)]
        named = {"item": "X999", "person": ""} | more
        return await self.post(b"[" + b",".join(message(each, **named) for each in ids) + b"]", source)


async def test_a_cabinet_that_sends_too_much_waits_and_loses_nothing(desk: Desk) -> None:
    sender = Sender(desk, events_a_minute=30)
    assert (await sender.events(499)).status == 202
    assert (await sender.events(1)).status == 202
    late = await sender.events(2)
    assert (late.status, late.media_type) == (429, "application/problem+json")
    assert late.headers["Retry-After"] == "5", "two events at one in two seconds, and a second more"
    assert (await sender.events(2, source="south")).status == 202, "each source has its own pace"
    entries = await desk.spine.fetch("SELECT count(*) AS n FROM key_cabinet_event WHERE source = 'north'")
    assert entries[0]["n"] == 500, "nothing of a message that must wait is taken in"
    desk.pass_time(timedelta(seconds=5))
    assert (await sender.events(2)).status == 202


async def test_alarms_of_a_cabinet_have_a_pace_of_their_own(desk: Desk) -> None:
    sender = Sender(desk, events_a_minute=1)
    await sender.events(500)
    assert (await sender.events(1)).status == 429
    assert (await sender.events(1, event="door_forced")).status == 202
    # A stuck contact: its thousand alarms end somewhere, too.
    assert (await sender.events(500, event="door_forced")).status == 429
    assert (await sender.events(499, event="door_forced")).status == 202


async def test_a_message_longer_than_a_cabinet_may_send_is_refused_unread(desk: Desk) -> None:
    sender = Sender(desk, body_limit=1024)
    assert (await sender.post(message() + b" " * (1024 - len(message())))).status == 202
    assert (await sender.post(message() + b" " * 1024)).status == 413
    assert Settings(cabinets=(CABINETS,)).cabinets[0].body_limit == BODY_LIMIT, (
        "the door takes no more than that"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("events_a_minute", 0), ("events_a_minute", 60_001), ("body_limit", 10), ("body_limit", BODY_LIMIT + 1)],
)
def test_a_pace_or_a_limit_that_makes_no_sense_is_refused(name: str, value: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_settings({"cabinets": [{"name": "north", name: value}]})
    assert caught.value.field.endswith(name)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"event": "item_eaten"}, "event"),
        ({"time": "2026-03-02T17:00:00"}, "time"),
        ({"item": ""}, "item"),
        ({"cabinet": "a/b"}, "cabinet"),
        ({"person": "a\x00b"}, "person"),
        ({"more": 1}, "body"),
        ({"id": ""}, "id"),
    ],
)
def test_a_wrong_message_is_refused_with_the_field_that_is_wrong(more: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_message(message(**more), "north")
    assert caught.value.field == field
    assert "00001" not in str(caught.value)


def test_a_list_of_messages_is_read_and_nonsense_is_not() -> None:
    assert len(read_message(b"[" + message("a") + b"," + message("b") + b"]", "north")) == 2
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(InvalidInput):
            read_message(body, "north")


async def test_a_file_says_the_same_as_the_webhook_and_wrong_rows_are_named(desk: Desk) -> None:
    rows: list[dict[str, str | None]] = [
        {"event_id": "e1", "event": "item_taken", "time": desk.now.isoformat(), "cabinet": "NORTH-1", "slot": "3",
         "item": "K001", "person": personnel_no("u1")},
        {"event_id": "e2", "event": "item_taken", "time": "yesterday", "item": "K002"},
        {"event_id": "", "event": "item_taken", "time": desk.now.isoformat(), "item": "K002"},
        {"event_id": "e4", "event": "door_forced", "time": desk.now.isoformat()},
    ]  # fmt: skip

    async def load(*, dry_run: bool):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return await desk.do(
            lambda tx: import_events(tx, desk.parts, CABINETS, rows, at=desk.now, dry_run=dry_run)
        )

    dry = await load(dry_run=True)
    assert (dry.added, len(dry.errors)) == (2, 2)
    assert await desk.holder("K001") is None
    report = await load(dry_run=False)
    assert (report.added, [(each.row, each.field) for each in report.errors]) == (
        2,
        [(3, "time"), (4, "event_id")],
    )
    assert report.diff == ["+ e1", "+ e4: door forced"]
    assert await desk.holder("K001") == "u1"
    assert (await load(dry_run=False)).unchanged == 2
    assert read_row({name: value or "" for name, value in rows[0].items()}, "north").place == "NORTH-1/3"


async def test_a_cabinet_is_told_who_may_take_which_key_and_for_how_long(desk: Desk) -> None:
    await desk.tell(
        desk.event("e1", "item_returned", desk.now, "K001"),
        desk.event("e2", "item_returned", desk.now, "K002"),
    )
    await desk.hand_out("K002", "u4")
    await desk.spine.live_permit("C1", crew=("u1",), hours=3)

    async def rows() -> list[dict[str, str]]:
        async with desk.spine.services.database.read() as tx:
            text = await may_take(tx, desk.parts, CABINETS, "NORTH-1", desk.now)
        return list(csv.DictReader(io.StringIO(text)))

    found = await rows()
    assert [(row["item"], row["slot"], row["person"]) for row in found] == [
        ("K001", "12", f"person:{desk.person('u1')}")
    ]
    assert found[0]["until"] == (desk.now + 3 * HOUR).isoformat()
    # What the file calls a person is understood when it comes back.
    await desk.tell(desk.event("e3", "item_taken", desk.now + MINUTE, "K001", found[0]["person"]))
    assert await desk.holder("K001") == "u1"
    assert await rows() == []
