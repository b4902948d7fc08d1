"""What to do without a system, in plain words: for the page, the sheet that hangs in the control room, and the guide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .dependencies import Kind


@dataclass(frozen=True, slots=True)
class Play:
    """One system that is gone."""

    kind: Kind
    title: str
    stops: tuple[str, ...]
    goes_on: tuple[str, ...]
    act: tuple[str, ...]


PLAYBOOK: Final[Mapping[Kind, Play]] = {
    "people": Play(
        "people",
        "Without the identity system (IAM)",
        (
            "New people get no key, and nobody gets new access from a change made there.",
            "Leavers are not told to us: their keys go on until their contract's or their access's own end.",
        ),
        (
            "Everybody who is known here works on, as far as contract, permit and duty reach.",
            "Shifts that are known here begin and end by themselves.",
        ),
        (
            "If somebody is dismissed or suspended meanwhile, end their access here: person, End all access.",
            "New people wait, or work with somebody who has a key.",
        ),
    ),
    "permits": Play(
        "permits",
        "Without the permit system (e-PTW)",
        (
            "No new permit gives access, and nothing is made longer.",
            "Suspensions and stops made there do not reach us: a stop has to be made here as well.",
        ),
        (
            "Access under permits in force goes on to its own end, no further.",
            "Duty keys and emergency keys are not touched.",
        ),
        (
            "Stop work at the place first. Then end the access here: permit, End all access.",
            "Work that cannot wait: paper permit with a number from the pad. One writes it here, a second person confirms.",
            "When it is back: enter every paper permit there and note its number here.",
        ),
    ),
    "keys": Play(
        "keys",
        "Without the key system (the maker's server)",
        (
            "Nothing reaches keys: no new access, and no ending either. A key that is out can open until it runs out.",
            "Openings are not reported; they are read when it is back.",
        ),
        (
            "Keys work until what is in them runs out: the times on this page.",
            "Locks are not touched: what is open stays open, ways out stay ways out.",
        ),
        (
            "Look at who runs out first, and have keys extended on time where the system still answers.",
            "To end somebody's access now: take the key from them. Nothing else is sure.",
            "For an emergency: sealed emergency key. Break the seal, two people, note it here or in the book.",
        ),
    ),
    "siem": Play(
        "siem",
        "Without the security monitoring (SIEM)",
        ("Nobody outside sees alarms as they happen.",),
        ("Access is not touched. What is not sent waits, and is sent when it is back.",),
        ("Tell security operations by telephone, and look at alarms here.",),
    ),
    "log": Play(
        "log",
        "While the log is behind",
        ("Nothing is given or made longer.",),
        ("Endings, stops and blocks go on being asked for.",),
        ("Tell the administrator: docs/how-to/restore-a-backup.md says what to check.",),
    ),
    "network": Play(
        "network",
        "Without the network",
        (
            "Neither permits, nor people, nor keys can be changed from here.",
            "Phones and online locks are out of reach too.",
        ),
        ("Keys work until what is in them runs out: the times on this page.",),
        (
            "Print this page now, while it answers.",
            "Work that cannot wait: on paper, with a number from the pad; note it here afterwards.",
            "For an emergency: sealed emergency key, two people, note it in the book.",
        ),
    ),
    "this": Play(
        "this",
        "Without Key2XS",
        (
            "No access is given, ended or made longer; blocks have to be made in the maker's own tool.",
            "Nobody is warned.",
        ),
        ("Keys work until what is in them runs out: the times on the last printed page.",),
        (
            "To end somebody's access now: take the key from them, or block it in the maker's own tool.",
            "For an emergency: sealed emergency key, two people, note it in the book and here afterwards.",
        ),
    ),
}
