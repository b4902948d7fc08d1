"""Keys that are out, and key cabinets by file."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from cyclopts import App, Parameter

from . import words
from .client import Api, part
from .exits import NO, USAGE, YES, Stopped
from .files import show_import

Ask: TypeAlias = Callable[[Callable[[Api], tuple[Any, int]], Callable[[Any], None]], int]


def keys_out(api: Api, *, overdue: bool) -> tuple[Any, int]:
    """Ask which keys are out, or overdue: 0 some are, 1 none is."""
    answer = api.get("/api/v1/custody/overdue" if overdue else "/api/v1/custody/out")
    return answer, YES if answer["items"] else NO


def show_keys_out(answer: Any) -> None:
    """Print the keys that are out."""
    words.table(
        f"Keys out at {words.instant(answer['at'])}",
        ("key", "handed to", "company", "since", "due back", "how sure"),
        [
            (
                each["key"],
                each["holder"],
                each["company"] or "",
                words.instant(each["since"]),
                f"{words.instant(each['due_at'])}{' OVERDUE' if each['overdue'] else ''}"
                if each["due_at"]
                else "",
                f"one of {each['crew_size']}"
                if each["certainty"] == "crew"
                else each["certainty"].replace("_", " "),
            )
            for each in answer["items"]
        ],
    )


def unblock(api: Api, name: str, reason: str) -> tuple[Any, int]:
    """Ask for a found key to come off the block list: 0 it is on its way; a second person may have to confirm first."""
    return api.post(f"/api/v1/keys/{part(name)}/unblock", {"reason": reason}), YES


def hand_back(api: Api, name: str, reason: str) -> tuple[Any, int]:
    """Ask for a key to be handed back at its maker."""
    return api.post(f"/api/v1/keys/{part(name)}/hand-back", {"reason": reason}), YES


def show_hand_back(answer: Any) -> None:
    """Print what happens next."""
    words.say(f"Key {answer['key']} is handed back since {words.instant(answer['asked_at'])}.")
    words.say("It is emptied first; its maker is told when that is proven.")


def show_unblock(answer: Any) -> None:
    """Print what happens next."""
    words.say(
        f"Key {answer['stamp']} is coming off the block list since {words.instant(answer['unblock_asked_at'])}."
    )
    words.say(
        "It stays blocked until it is emptied and the locks are told; where the list lives in cylinders, by visits."
    )


def import_events(api: Api, source: str, file: Path, *, dry_run: bool) -> tuple[Any, int]:
    """Import what cabinets saw: 0 every row was taken, 1 some were not."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Stopped(f"cannot read {file}: {error.strerror}", USAGE) from error
    answer = api.upload(f"/api/v1/cabinets/{part(source)}/events", content, dry_run=dry_run)
    return answer, YES if answer["ok"] else NO


def export_may_take(api: Api, source: str, cabinet: str, file: Path) -> tuple[Any, int]:
    """Write who may take which key of a cabinet."""
    draft, size = file.with_name(file.name + ".part"), 0
    path = f"/api/v1/cabinets/{part(source)}/{part(cabinet)}/may-take.csv"
    try:
        with draft.open("wb") as target, api.download(path) as pieces:
            for piece in pieces:
                target.write(piece)
                size += len(piece)
        # Under its name only when it is complete: a cabinet must not load half of it.
        draft.replace(file)
    except OSError as error:
        raise Stopped(f"cannot write {file}: {error.strerror}", USAGE) from error
    return {"file": str(file), "bytes": size}, YES


def show_file(done: Any) -> None:
    """Print what was written."""
    words.say(f"{done['file']}: {done['bytes']} bytes")


def custody_apps(ask: Ask) -> tuple[App, App]:
    """Return the commands of keys and cabinets; `ask` puts a question to the service and prints the answer."""
    keys = App(name="keys", help="Keys.")
    cabinet = App(name="cabinet", help="Key cabinets.")

    @keys.command
    def out(
        *, overdue: Annotated[bool, Parameter(help="Only those that should be back.", negative="")] = False
    ) -> int:
        """List the keys that are out: who has them, since when, due when, and how sure that is."""
        return ask(lambda api: keys_out(api, overdue=overdue), show_keys_out)

    @keys.command(name="unblock")
    def unblock_(
        name: str, *, reason: Annotated[str, Parameter(help="Why, without names; a second person reads it.")]
    ) -> int:
        """Let a found key come off the block list. Where the matrix asks for a second person, send it again afterwards."""
        return ask(lambda api: unblock(api, name, reason), show_unblock)

    @keys.command(name="hand-back")
    def hand_back_(
        name: str, *, reason: Annotated[str, Parameter(help="Why, without names; it goes on the log.")]
    ) -> int:
        """Hand a phone key or RFID tag back at its maker for good: emptied first, then deleted there."""
        return ask(lambda api: hand_back(api, name, reason), show_hand_back)

    @cabinet.command(name="import")
    def import_(
        source: str,
        file: Path,
        *,
        dry_run: Annotated[bool, Parameter(help="Only look; change nothing.", negative="")] = False,
    ) -> int:
        """Import a cabinet's own file (CSV): what was taken and returned, and when."""
        return ask(lambda api: import_events(api, source, file, dry_run=dry_run), show_import)

    @cabinet.command
    def export(source: str, cabinet: str, file: Path) -> int:
        """Write who may take which key of a cabinet in the next 24 hours, for the cabinet to load."""
        return ask(lambda api: export_may_take(api, source, cabinet, file), show_file)

    return keys, cabinet
