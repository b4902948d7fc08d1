"""The question the whole product is for: who can open this, and why. Asked in the middle of the night."""

from key2xs_demo.night import Night

from .times import at


def plan(night: Night) -> None:
    """Asked in the middle of the night."""
    night.plan(at(0, 15), "who can open the pump's panel, and why?", _ask)


async def _ask(night: Night) -> None:
    cast = night.cast
    answer = await night.machine.get(f"/api/v1/cylinders/{cast.pump_panel.marking}/who-can-open")
    night.answers["who_can_open"] = answer
    found = {each["key"]: each["basis"] for each in answer["can_open"] if each["basis"] != "standing"}
    night.book.expect(
        "who-can-open-the-panel", {cast.pump.stamp: "permit_step", cast.operator.stamp: "duty_role"}, found
    )
    # Rights from the old days are named as what they are; and nothing that truly opens is missing.
    true = await night.twin.who(cast.pump_panel.marking)
    night.book.expect("nobody-is-left-out", true, sorted(each["key"] for each in answer["can_open"]))
    night.book.expect("nothing-is-unknown", [], answer["unknown"])
    explained = await night.machine.post(
        "/api/v1/explain", {"person": f"iam:{cast.pump.ref}", "cylinder": cast.unreachable_panel.marking}
    )
    night.answers["explain"] = explained
    night.book.expect("explains-what-is-missing", "deny", explained["verdict"])
