"""How fast can all access of a firm be revoked? Asked first, then done by two people."""

from key2xs_demo import trials
from key2xs_demo.night import Night

from .times import MINUTE, at


def plan(night: Night) -> None:
    """At five."""
    night.plan(at(5, 0), "how fast could this firm's access end, and: revoke it", _revoke)


async def _revoke(night: Night) -> None:
    cast = night.cast
    firm = cast.panel.person.company
    answer = await night.machine.get(f"/api/v1/companies/{firm}/how-fast")
    night.answers["how_fast"] = answer
    night.book.check(
        "how-fast-is-answered",
        "one grant, one key, an end or the reason why none",
        {name: answer[name] for name in ("grants", "keys", "proven", "bounded", "bound")},
        held=answer["grants"] == 1
        and answer["keys"] == 1
        and (answer["bound"] is not None or bool(answer["no_bound"])),
    )
    asked_at = night.now
    first, second = night.people["security"], night.people["second"]
    proposed = await first.post("/api/v1/revoke", {"company": firm, "reason": "contract terminated at once"})
    night.book.expect("a-firm-needs-a-second-person", "proposed", proposed["state"])
    confirm = f"/api/v1/proposals/{proposed['proposal']}/confirm"
    night.book.expect("nobody-confirms-alone", 403, await first.refused(confirm))
    with night.revoking():
        await second.post(confirm)
        await night.time.settle()
        # Its man is at work under a permit: the shift leader is told first.
        waiting = (await night.people["leader"].get("/api/v1/safety/stops"))["items"]
        night.book.expect("a-firm-at-work-waits-for-the-shift-leader", [1], [len(waiting)])
        for each in waiting:
            await night.people["leader"].post(f"/api/v1/safety/stops/{each['id']}/proceed")
        await night.time.settle()
    night.book.expect("firm-revoked", [], await night.grants(cast.panel, "active", "scheduled", "held"))
    await night.time.advance(MINUTE)
    trial = await trials.begin(night, "firm", cast.panel, cast.panel_place, asked_at=asked_at)
    night.book.expect("firm-proven-end", "proven_end", trial.row["kind"])
    night.book.expect("firm-opens-nothing", False, await night.open(cast.panel, cast.panel_place))
