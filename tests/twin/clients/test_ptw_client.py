"""The permit system: full-state events, sequences, signatures, and the mishaps on the way."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from key2xs_twin.clients.permits import Member, Permit, Step
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.webhook import Chaos, WebhookSender, make_secret

AT = datetime(2026, 7, 1, 16, 0, tzinfo=UTC)  # 18:00 at the site
KEY, NEXT_KEY = b"k" * 32, b"n" * 24
URL = "http://key2xs.test/webhooks/ptw/site"


@dataclass
class Receiver:
    """Answers what it is told to and keeps every request."""

    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[httpx2.Request] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        status = self.statuses.pop(0) if self.statuses else 202
        if status == 0:
            raise httpx2.ConnectError("connection refused", request=request)
        return httpx2.Response(status, headers=self.headers)

    def types(self) -> list[str]:
        return [json.loads(r.content)["type"].removeprefix("com.key2xs.ptw.") for r in self.requests]


def make_system(
    receiver: Receiver, *, chaos: Chaos | None = None, secrets: tuple[bytes, ...] = (KEY,)
) -> PermitSystem:
    printed = [make_secret(secret) for secret in secrets]
    return PermitSystem(WebhookSender(URL, printed, httpx2.MockTransport(receiver), chaos or Chaos()))


def make_permit(system: PermitSystem, *, area: str = "A01") -> Permit:
    return system.create(
        type_="cold_work",
        area=area,
        unit="CDU",
        assets=["RTX-CDU-P1101A"],
        valid_from=AT,
        valid_to=AT + timedelta(hours=12),
        at=AT,
        people=[Member(ref="u10200", role="performing_authority", company="v001")],
        steps=[Step(id="s1", title="Open the panel", assets=["RTX-CDU-P1101A"])],
    )


def assert_signed(request: httpx2.Request, key: bytes, signature: str) -> None:
    """The signature by the definition, computed with another library than the client's."""
    signed = b".".join(
        [
            request.headers["webhook-id"].encode(),
            request.headers["webhook-timestamp"].encode(),
            request.content,
        ]
    )
    mac = HMAC(key, hashes.SHA256())
    mac.update(signed)
    mac.verify(base64.b64decode(signature.removeprefix("v1,"), validate=True))


async def test_a_message_is_signed_over_id_timestamp_and_body() -> None:
    receiver = Receiver()
    system = make_system(receiver)
    make_permit(system)
    await system.flush(at=AT + timedelta(seconds=2))
    (request,) = receiver.requests
    assert_signed(request, KEY, request.headers["webhook-signature"])
    with pytest.raises(InvalidSignature):
        assert_signed(request, b"another", request.headers["webhook-signature"])
    assert request.headers["webhook-id"] == json.loads(request.content)["id"]
    assert request.headers["webhook-timestamp"] == str(int(AT.timestamp()) + 2), (
        "the time of sending, in seconds"
    )
    assert request.headers["content-type"] == "application/cloudevents+json"


async def test_during_a_change_of_secrets_a_message_carries_a_signature_of_each() -> None:
    receiver = Receiver()
    system = make_system(receiver, secrets=(KEY, NEXT_KEY))
    make_permit(system)
    await system.flush(at=AT)
    (request,) = receiver.requests
    first, second = request.headers["webhook-signature"].split(" ")
    assert_signed(request, KEY, first)
    assert_signed(request, NEXT_KEY, second)


def test_a_secret_is_printed_as_standard_webhooks_prints_it() -> None:
    assert make_secret(b"\x00\x01\x02") == "whsec_AAEC"


async def test_every_event_is_a_cloudevent_with_a_rising_sequence_and_the_full_state() -> None:
    system = make_system(Receiver())
    permit = make_permit(system)
    system.approve(permit.id, by="u10001", at=AT)
    live = system.go_live(permit.id, by="u10002", at=AT + timedelta(minutes=1))
    signed = system.sign_on(permit.id, "u10200", at=AT + timedelta(minutes=2))
    assert [(e["type"], e["sequence"]) for e in system.events] == [
        ("com.key2xs.ptw.permit.requested.v1", 1),
        ("com.key2xs.ptw.permit.approved.v1", 2),
        ("com.key2xs.ptw.permit.live.v1", 3),
        ("com.key2xs.ptw.permit.changed.v1", 4),
    ]
    assert len({e["id"] for e in system.events}) == 4
    assert {k: live[k] for k in ("specversion", "source", "subject", "time", "datacontenttype")} == {
        "specversion": "1.0",
        "source": "urn:ptw:RTX",
        "subject": permit.id,
        "time": "2026-07-01T18:01:00+02:00",
        "datacontenttype": "application/json",
    }
    assert signed["data"] == {
        "permit": {
            "id": "PTW-2026-0001",
            "number": "0001",
            "revision": 1,
            "type": "cold_work",
            "native_type": "COLD_WORK",
            "state": "live",
            "native_state": "ISSUED",
            "valid_from": "2026-07-01T18:00:00+02:00",
            "valid_to": "2026-07-02T06:00:00+02:00",
            "cross_refs": [],
        },
        "work": {"system": "sap", "order": "4000001", "operation": "0010"},
        "scope": {
            "site": "RTX",
            "area": "A01",
            "unit": "CDU",
            "assets": [{"scheme": "sap_floc", "id": "RTX-CDU-P1101A"}],
            "points": [],
        },
        "steps": [
            {
                "id": "s1",
                "seq": 1,
                "title": "Open the panel",
                "state": "waiting",
                "assets": ["RTX-CDU-P1101A"],
                "roles": [],
                "needs_isolation": False,
            }
        ],
        "people": [
            {
                "ref": "u10200",
                "role": "performing_authority",
                "scheme": "iam",
                "company": "v001",
                "signed_on": "2026-07-01T18:02:00+02:00",
            }
        ],
        "isolations": [],
        "gas_tests": [],
        "simops": [],
        "approvals": [
            {
                "role": "area_authority",
                "ref": "u10001",
                "at": "2026-07-01T18:00:00+02:00",
                "decision": "approve",
            },
            {
                "role": "issuing_authority",
                "ref": "u10002",
                "at": "2026-07-01T18:01:00+02:00",
                "decision": "approve",
            },
        ],
        "lock_boxes": [],
        "checkins": [],
    }


def test_an_event_does_not_change_after_it_was_told() -> None:
    system = make_system(Receiver())
    permit = make_permit(system)
    told = json.dumps(system.events[0])
    system.go_live(permit.id, by="u10002", at=AT)
    system.change_scope(permit.id, assets=["RTX-CDU-P1101B"], at=AT)
    assert json.dumps(system.events[0]) == told


def test_every_act_tells_what_happened_in_the_words_of_the_payload() -> None:
    system = make_system(Receiver())
    permit = make_permit(system)
    acts = [
        system.isolate(permit.id, certificate="IC-1", points=["RTX-CDU-P1101A-XVS"], at=AT),
        system.prove_isolation(permit.id, by="u10003", at=AT),
        system.gas_test(permit.id, safe=True, by="u10004", at=AT),
        system.go_live(permit.id, by="u10002", at=AT),
        system.set_step(permit.id, "s1", state="started", at=AT),
        system.lock_on(permit.id, "AP-CDU-030", "u10200", at=AT),
        system.lock_off(permit.id, "AP-CDU-030", "u10200", at=AT + timedelta(hours=1)),
        system.expect_checkin(permit.id, "u10200", due_at=AT + timedelta(hours=1), at=AT),
        system.check_in(permit.id, "u10200", at=AT + timedelta(hours=1)),
        system.gas_test(permit.id, safe=False, by="u10004", at=AT + timedelta(hours=2)),
        system.suspend(permit.id, code="gas_alarm", at=AT + timedelta(hours=2)),
        system.change_scope(permit.id, assets=["RTX-CDU-P1101B"], at=AT),
        system.hand_back(permit.id, at=AT + timedelta(hours=3)),
        system.remove_isolation(permit.id, at=AT + timedelta(hours=3)),
        system.close(permit.id, at=AT + timedelta(hours=4)),
    ]
    assert [e["type"].removeprefix("com.key2xs.ptw.").removesuffix(".v1") for e in acts] == [
        "isolation.changed",
        "permit.isolated",
        "gastest.recorded",
        "permit.live",
        "permit.changed",
        "permit.changed",
        "permit.changed",
        "permit.changed",
        "permit.changed",
        "gastest.recorded",
        "permit.suspended",
        "permit.changed",
        "permit.handed_back",
        "permit.deisolated",
        "permit.closed",
    ]
    points = acts[1]["data"]["isolations"][0]
    assert (points["certificate"], points["state"]) == ("IC-1", "proven")
    assert points["points"][0]["lock_no"] == "L-001"
    assert acts[2]["data"]["gas_tests"][0]["result"] == "safe"
    assert acts[9]["data"]["gas_tests"][1]["result"] == "unsafe"
    assert acts[5]["data"]["lock_boxes"] == [
        {"id": "AP-CDU-030", "personal_locks": [{"ref": "u10200", "on_at": "2026-07-01T18:00:00+02:00"}]}
    ]
    assert acts[6]["data"]["lock_boxes"][0]["personal_locks"][0]["off_at"] == "2026-07-01T19:00:00+02:00"
    assert acts[8]["data"]["checkins"] == [
        {"ref": "u10200", "due_at": "2026-07-01T19:00:00+02:00", "at": "2026-07-01T19:00:00+02:00"}
    ]
    assert acts[10]["data"]["reason"] == {"code": "gas_alarm"}
    assert acts[11]["data"]["permit"]["revision"] == 2
    assert [e["data"]["permit"]["native_state"] for e in acts[-3:]] == [
        "HANDBACK",
        "ISOLATION REMOVED",
        "CLOSED",
    ]


def test_signing_on_again_is_a_new_turn_that_does_not_overlap_the_old_one() -> None:
    system = make_system(Receiver())
    permit = make_permit(system)
    system.sign_on(permit.id, "u10200", at=AT)
    system.sign_off(permit.id, "u10200", at=AT + timedelta(hours=1))
    system.sign_on(permit.id, "u10200", at=AT + timedelta(hours=2))
    system.suspend(permit.id, code="shift_end", at=AT + timedelta(hours=3))
    event = system.revalidate(
        permit.id, by="u10002", valid_to=AT + timedelta(hours=20), at=AT + timedelta(hours=4)
    )
    turns = [(p["signed_on"][11:16], p.get("signed_off", "")[11:16]) for p in event["data"]["people"]]
    assert turns == [("18:00", "19:00"), ("20:00", "22:00"), ("22:00", "")]
    assert "reason" not in event["data"]
    assert event["data"]["permit"]["valid_to"] == "2026-07-02T14:00:00+02:00"


def test_an_area_stop_is_told_first_and_then_each_cancelled_permit() -> None:
    system = make_system(Receiver())
    here, there = make_permit(system), make_permit(system, area="A02")
    before = len(system.events)
    stop = system.area_stop("A01", code="gas_alarm", at=AT, text="detector 4")
    assert stop["type"] == "com.key2xs.ptw.area.stop.v1"
    assert stop["subject"] == "area:A01"
    assert stop["data"] == {
        "scope": {"site": "RTX", "area": "A01"},
        "reason": {"code": "gas_alarm", "text": "detector 4"},
    }
    assert [e["subject"] for e in system.events[before:]] == ["area:A01", here.id]
    assert (here.state, there.state) == ("cancelled", "requested")


def test_a_reissued_permit_names_the_cancelled_one_and_takes_no_signature_over() -> None:
    system = make_system(Receiver())
    old = make_permit(system)
    system.go_live(old.id, by="u10002", at=AT)
    system.sign_on(old.id, "u10200", at=AT)
    system.area_stop("A01", code="gas_alarm", at=AT)
    new = system.reissue(old.id, valid_from=AT, valid_to=AT + timedelta(hours=4), at=AT)
    state = system.events[-1]["data"]
    assert new.id != old.id
    assert state["permit"]["parent"] == old.id
    assert state["permit"]["cross_refs"] == [old.id]
    assert state["approvals"] == []
    assert all("signed_on" not in person for person in state["people"])
    assert state["steps"][0]["state"] == "waiting"
    assert state["work"] == system.events[0]["data"]["work"]


def test_a_heartbeat_counts_live_permits_and_their_highest_sequence() -> None:
    system = make_system(Receiver())
    first, _second = make_permit(system), make_permit(system)
    system.go_live(first.id, by="u10002", at=AT)
    beat = system.heartbeat(at=AT)
    assert beat["type"] == "com.key2xs.ptw.heartbeat.v1"
    assert beat["data"] == {"live": 1, "highest_sequence": 2}


async def test_mishaps_lose_double_delay_and_shuffle_events_the_same_way_for_the_same_seed() -> None:
    async def history(seed: int) -> list[str]:
        receiver = Receiver()
        system = make_system(
            receiver, chaos=Chaos(seed=seed, drop=0.2, duplicate=0.2, reorder=1.0, delay=0.2)
        )
        permit = make_permit(system)
        for minute in range(30):
            system.gas_test(permit.id, safe=True, by="u10004", at=AT + timedelta(minutes=minute))
        await system.flush(at=AT + timedelta(minutes=30))
        await system.flush(at=AT + timedelta(hours=1))
        outcomes = [delivery.outcome for delivery in system.sender.deliveries]
        assert {"dropped", "delayed", "sent"} <= set(outcomes)
        return [str(json.loads(r.content)["sequence"]) for r in receiver.requests]

    first = await history(3)
    assert first == await history(3)
    assert first != await history(4)
    assert len(set(first)) < len(first), "some came twice"
    assert first != sorted(first, key=int), "not in order"
    assert len(set(first)) < 31, "some never came"


async def test_without_chaos_events_arrive_once_and_in_order() -> None:
    receiver = Receiver()
    system = make_system(receiver)
    permit = make_permit(system)
    system.approve(permit.id, by="u10001", at=AT)
    system.go_live(permit.id, by="u10002", at=AT)
    deliveries = await system.flush(at=AT)
    assert receiver.types() == ["permit.requested.v1", "permit.approved.v1", "permit.live.v1"]
    assert [d.status for d in deliveries] == [202, 202, 202]
    assert await system.flush(at=AT) == []


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (0, {}, timedelta(minutes=1)),  # nobody answers
        (503, {}, timedelta(minutes=1)),
        (429, {"retry-after": "30"}, timedelta(seconds=30)),
    ],
)
async def test_what_could_not_be_taken_is_sent_again_with_the_same_id(
    status: int, headers: dict[str, str], wait: timedelta
) -> None:
    receiver = Receiver(statuses=[status], headers=headers)
    system = make_system(receiver)
    make_permit(system)
    (failed,) = await system.flush(at=AT)
    assert (failed.outcome, failed.status) == ("failed", status)
    assert await system.flush(at=AT + wait - timedelta(seconds=1)) == []
    (sent,) = await system.flush(at=AT + wait)
    assert sent.outcome == "sent"
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


async def test_a_refused_event_is_given_up_and_kept_on_record() -> None:
    system = make_system(Receiver(statuses=[400]))
    make_permit(system)
    await system.flush(at=AT)
    assert await system.flush(at=AT + timedelta(days=1)) == []
    assert [(d.outcome, d.status) for d in system.sender.deliveries] == [("failed", 400)]
