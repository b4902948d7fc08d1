"""The commands of adoption and their options."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import App, Parameter

from . import adoption
from .client import Api

Reason: TypeAlias = Annotated[str, Parameter(help="Why; it goes on the log.")]
Login: TypeAlias = Annotated[
    str | None, Parameter(help="Sign in as this user; the password is asked for, or read from a pipe.")
]
Ask: TypeAlias = Callable[[Callable[[Api], tuple[Any, int]], Callable[[Any], None]], int]


def adoption_apps(ask: Ask) -> tuple[App, ...]:
    """Return the groups `adoption`, `systems`, `zones` and `rollout`, and the command `confirm`."""
    return _adoption(ask), *_switching(ask), _rollout(ask)


def _adoption(ask: Ask) -> App:
    group = App(name="adoption", help="Taking over a site that has keys already.")

    @group.command
    def report(
        *,
        list: Annotated[str | None, Parameter(help="One list, for example keys_without_holder.")] = None,  # noqa: A002
        csv: Annotated[Path | None, Parameter(help="Write that list into this file.")] = None,
    ) -> int:
        """Say what an existing site has: keys without holder, holders who left, rights nobody uses, unmapped locks."""
        return ask(lambda api: adoption.report(api, list, csv), adoption.show_report)

    @group.command
    def standing() -> int:
        """Count standing access beside access given just in time, zone by zone."""
        return ask(adoption.standing, adoption.show_standing)

    @group.command
    def start(*, system: str, reason: Reason, zone: str | None = None, login: Login = None) -> int:
        """Propose to adopt the keys of a key system, or those that open something in a zone."""
        return ask(lambda api: adoption.start(api, system, zone, reason, login), adoption.show_proposal)

    @group.command
    def runs() -> int:
        """Say how far adoptions are, and which keys they left and why."""
        return ask(adoption.runs, adoption.show_runs)

    @group.command
    def visits() -> int:
        """Say which locks and keys must be visited, by area."""
        return ask(adoption.visits, adoption.show_visits)

    return group


def _switching(ask: Ask) -> tuple[App, ...]:
    systems = App(name="systems", help="Connections to key systems.")
    zones = App(name="zones", help="Security zones: what enforcing would change, and switching.")
    second = App(name="confirm", help="Confirm a proposal, as the second person.")

    @systems.command(name="list")
    def list_systems() -> int:
        """Say what is connected, and what may write."""
        return ask(adoption.connections, adoption.show_connections)

    @systems.command
    def check(name: str) -> int:
        """Say what a connection lacks before it can be relied on, and who has to do what. Changes nothing."""
        return ask(lambda api: adoption.check(api, name), adoption.show_check)

    @systems.command
    def writes(name: str, state: Literal["on", "off"], *, reason: Reason, login: Login = None) -> int:
        """Let a connection write, or not. A connection starts read-only."""
        return ask(
            lambda api: adoption.switch_writes(api, name, state, reason, login), adoption.show_connections
        )

    @systems.command(name="sign-in-again")
    def sign_in_again(name: str, *, reason: Reason, login: Login = None) -> int:
        """Let Key2XS sign in again after a refusal that it does not repeat by itself."""
        return ask(lambda api: adoption.sign_in_again(api, name, reason, login), adoption.show_connections)

    @systems.command
    def limits(
        name: str,
        lock: str,
        heeds: Literal["yes", "no", "unknown"],
        *,
        reason: Reason,
        login: Login = None,
    ) -> int:
        """Note whether a lock heeds the end date in a key, as tried there; `unknown` takes that back."""
        return ask(lambda api: adoption.note_lock(api, name, lock, heeds, reason, login), adoption.show_lock)

    @zones.command
    def difference(zone: str) -> int:
        """Say which keys would lose or get what if a zone were enforced now."""
        return ask(lambda api: adoption.difference(api, zone), adoption.show_difference)

    @zones.command
    def switch(
        zone: str, mode: Literal["observe", "advise", "enforce"], *, reason: Reason, login: Login = None
    ) -> int:
        """Switch a zone; advise and enforce wait for a second person."""
        return ask(lambda api: adoption.switch_zone(api, zone, mode, reason, login), adoption.show_proposal)

    @second.default
    def confirm(
        proposal: str,
        *,
        seen: Annotated[
            str | None, Parameter(help="The first difference looked at, where it changed.")
        ] = None,
        login: Login = None,
    ) -> int:
        """Confirm what somebody else proposed."""
        return ask(lambda api: adoption.confirm(api, proposal, seen, login), adoption.show_proposal)

    return systems, zones, second


def _rollout(ask: Ask) -> App:
    plan = App(name="rollout", help="The roll-out over thirteen weeks.")

    @plan.command
    def show() -> int:
        """Say how far the roll-out is: four stages, and how ready each zone is."""
        return ask(adoption.rollout, adoption.show_rollout)

    @plan.command(name="plan")
    def plan_it(
        *,
        starts_on: str,
        pilot: Annotated[list[str], Parameter(help="A zone; may stand several times.")],
        reason: Reason,
    ) -> int:
        """Say on which day the roll-out begins, and which zones are the pilot."""
        return ask(lambda api: adoption.plan_rollout(api, starts_on, pilot, reason), adoption.show_rollout)

    return plan
