"""A permit is suspended from outside by the next message of its permit system, and by nothing less."""

from datetime import UTC, datetime
from pathlib import Path

from key2xs_demo.folder import RunFolder, make_folder, newest_folder
from key2xs_demo.suspending import note_live, suspended_since, suspension_of
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.webhook import WebhookSender, make_secret

NOW = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)


def test_the_message_is_the_next_one_with_the_full_state() -> None:
    ptw = _permit_system()
    last = ptw.events[-1]
    event = suspension_of(last, NOW)
    assert event["sequence"] == last["sequence"] + 1
    assert event["id"] != last["id"]
    assert event["data"]["permit"]["state"] == "suspended"
    assert event["data"]["people"] == last["data"]["people"]
    assert last["data"]["permit"]["state"] == "live"


def test_what_was_suspended_is_told_once(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "suspended-0009").touch()
    assert suspended_since(folder) == ["0009"]
    assert suspended_since(folder) == []


def test_the_notes_hold_the_newest_message_of_each_live_permit(tmp_path: Path) -> None:
    folder, ptw = RunFolder(tmp_path), _permit_system()
    note_live(folder, ptw.events, list(ptw.permits.values()), NOW)
    folder.note(secret="shown to nobody else")
    notes = folder.read_notes()
    assert notes["live"]["0001"]["id"] == ptw.events[-1]["id"]
    assert notes["now"] == NOW.isoformat()
    assert folder.notes.stat().st_mode & 0o077 == 0


def test_folders_of_runs_that_are_over_are_removed(tmp_path: Path) -> None:
    over = tmp_path / "run-1"
    over.mkdir()
    (over / "driver.pid").write_text("999999999\n")
    (over / "left-over").touch()
    mine = make_folder(tmp_path)
    assert mine.root == over.absolute()
    assert not (over / "left-over").exists()
    found = newest_folder(tmp_path)
    assert found is not None
    assert found.root == mine.root
    second = make_folder(tmp_path)
    assert second.root != mine.root
    assert mine.root.exists()


def _permit_system() -> PermitSystem:
    ptw = PermitSystem(WebhookSender("http://ptw.test/", [make_secret(b"k" * 24)]))
    permit = ptw.create(
        type_="cold_work", area="A01", unit="CDU", assets=["RTX-CDU"], valid_from=NOW, valid_to=NOW, at=NOW
    )
    ptw.approve(permit.id, by="u1", at=NOW)
    ptw.go_live(permit.id, by="u1", at=NOW)
    return ptw
