"""What is looked at when the night is over: the log, the SIEM, the openings, the questions a visitor would ask."""

import json
from pathlib import Path
from typing import Any

from key2xs_twin.syslog_receiver import Record, SyslogReceiver

from .night import Night
from .processes import product_command, run
from .product import JsonObject
from .summary import LogFacts, SyslogFacts

ELEMENT = "key2xs@32473"
ALERT = 1  # RFC 5424: action must be taken immediately
LARGEST_PAGE = 500
WITHIN = 10.0  # seconds for the last messages to arrive


async def check_siem(night: Night, receiver: SyslogReceiver) -> SyslogFacts:
    """Compare what the product counts as sent with what the receiver has, each entry once."""
    status = await night.machine.get("/api/v1/status")
    sent = status["log"]["size"] - status["readers_behind"].get("syslog:siem", 0)
    records = await _arrived(receiver, sent)
    received = len({_uid(record) for record in records})
    night.book.expect("siem-has-every-entry-once", sent, received)
    # The valve that somebody gave in the vendor's own tool, and the door that nothing explains.
    alerts = {_uid(record): record.msgid for record in records if record.severity == ALERT}
    expected = ["keys:drift:find", "keys:opening:observe"]
    night.book.expect("siem-has-these-top-alarms", expected, sorted(alerts.values()))
    return SyslogFacts(sent, received)


async def check_log(night: Night, file: Path, url: str, token: str) -> LogFacts:
    """Export the log and have it verified by the command that sees neither database nor network."""
    status = (await night.machine.get("/api/v1/status"))["log"]
    # The token goes by the environment: arguments can be seen by everybody on the machine.
    signed = {"KEY2XS_URL": url, "KEY2XS_TOKEN": token}
    exported, said = await run(product_command("log", "export", str(file)), environment=signed)
    night.book.check("log-exported", 0, said if exported else 0, held=exported == 0)
    code, output = await run(product_command("verify", str(file), "--vkey", status["vkey"]))
    night.book.check("log-verified-offline", 0, output.strip() if code else 0, held=code == 0)
    size, root = _checkpoint_of(await night.machine.text("/log/checkpoint"))
    return LogFacts(status["origin"], size, root, status["vkey"], verified=exported == 0 and code == 0)


async def ask_by_command(night: Night, url: str, token: str) -> None:
    """Ask the question of the product by its command, as a shift leader would."""
    place = night.cast.early_panel
    signed = {"KEY2XS_URL": url, "KEY2XS_TOKEN": token}
    code, output = await run(product_command("--json", "who-can-open", place.marking), environment=signed)
    answer = _json(output)
    night.answers["who_can_open_now"] = answer
    keys = [each["key"] for each in answer.get("can_open", []) if each["basis"] != "standing"]
    night.book.expect("the-command-answers", [0, [night.cast.early_bird.stamp]], [code, keys])


async def name_key_systems(night: Night) -> None:
    """Note which key systems took part, and over what kind of interface."""
    systems = (await night.machine.get("/api/v1/status"))["key_systems"]
    night.answers["key_systems"] = [
        {"name": each["name"], "vendor": each["vendor"], "interface": each["interface"]} for each in systems
    ]
    night.book.expect(
        "both-key-systems-took-part",
        {"iloq": False, "cliq": True},
        {each["name"]: "simulated" in each["interface"] for each in systems},
    )


async def count_openings(night: Night) -> dict[str, int]:
    """Count the rows of locks' logs by class, and hold them against what truly happened."""
    rows = (await night.machine.get("/api/v1/openings", limit=LARGEST_PAGE))["items"]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["class"]] = counts.get(row["class"], 0) + 1
    return counts


async def check_openings(night: Night, counts: dict[str, int]) -> None:
    """Hold what the product saw against what truly happened at the locks."""
    true = await night.twin.openings()
    opened = sum(1 for each in true if each["ok"])
    refused = len(true) - opened
    seen = sum(count for name, count in counts.items() if name not in {"refused", "other"})
    # A key that nobody read since leaves its rows in the lock: fewer is honest, more would be invention.
    night.book.check(
        "openings-match-the-truth",
        {"opened": f"at most {opened}", "refused": f"at most {refused}"},
        {"opened": seen, "refused": counts.get("refused", 0)},
        held=0 < seen <= opened and 0 < counts.get("refused", 0) <= refused,
    )
    night.book.expect("one-unexplained-opening", 1, counts.get("unexplained", 0))


async def _arrived(receiver: SyslogReceiver, count: int) -> list[Record]:
    """Wait for the last messages: the product may count one as sent before the receiver has stored it."""
    try:
        return await receiver.wait_for_records(count, timeout=WITHIN)
    except TimeoutError:
        return receiver.records()


def _uid(record: Record) -> str:
    return record.data.get(ELEMENT, {}).get("key2xs_uid", "")


def _checkpoint_of(note: str) -> tuple[int, str]:
    """Read size and root of a checkpoint: its second and third line."""
    lines = note.splitlines()
    return int(lines[1]), lines[2]


def _json(text: str) -> JsonObject:
    try:
        found: Any = json.loads(text)
    except ValueError:
        return {"said": text}
    return found if isinstance(found, dict) else {"said": text}
