"""Files: importing the site's, exporting the log, verifying an export."""

from pathlib import Path
from typing import Any

from . import words
from .client import Api, part
from .exits import NO, USAGE, YES, Stopped

_ERRORS_SHOWN = 20


def import_file(api: Api, kind: str, file: Path, *, dry_run: bool) -> tuple[Any, int]:
    """Import a CSV file: 0 every row was taken, 1 some were not."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Stopped(f"cannot read {file}: {error.strerror}", USAGE) from error
    answer = api.upload(f"/api/v1/imports/{part(kind)}", content, dry_run=dry_run)
    return answer, YES if answer["ok"] else NO


SITE_FILES = (
    "areas",
    "units",
    "zones",
    "assets",
    "access_points",
    "cylinders",
    "asset_cylinders",
    "companies",
    "people",
)
"""The files of a site in the order in which they build on each other; keys come after the key system was listed."""


def import_site(api: Api, folder: Path, *, dry_run: bool) -> tuple[Any, int]:
    """Import every file of a folder: 0 every row was taken, 1 some were not."""
    answers = [
        import_file(api, kind, folder / f"{kind}.csv", dry_run=dry_run)
        for kind in SITE_FILES
        if (folder / f"{kind}.csv").exists()
    ]
    if not answers:
        raise Stopped(f"{folder} has none of {', '.join(f'{kind}.csv' for kind in SITE_FILES)}", USAGE)
    return [answer for answer, _ in answers], max(code for _, code in answers)


def show_site(answers: Any) -> None:
    """Print what the files of a site did, or would do."""
    for answer in answers:
        show_import(answer)


def show_import(answer: Any) -> None:
    """Print what an import did, or would do."""
    words.table(
        f"{answer['kind']}: {'would be' if answer['dry_run'] else 'was'} imported",
        ("new", "changed", "as they were", "known, not in this file", "wrong rows"),
        [
            (
                answer["added"],
                answer["changed"],
                answer["unchanged"],
                answer["removed_missing"],
                answer["error_count"],
            )
        ],
    )
    for line in answer["diff"][:_ERRORS_SHOWN] if answer["dry_run"] else []:
        words.say(line)
    for each in answer["errors"][:_ERRORS_SHOWN]:
        value = f" ({each['value']})" if each["value"] is not None else ""
        words.say(f"line {each['row']}, {each['field']}: {each['problem']}{value}")


def export_log(api: Api, file: Path) -> tuple[Any, int]:
    """Write the whole log into a file, gzip'd when the name says so."""
    import gzip

    draft = file.with_name(file.name + ".part")
    size = 0
    try:
        opened: Any = gzip.open(draft, "wb") if file.name.endswith(".gz") else draft.open("wb")  # noqa: SIM115 - closed below, whichever it is
        with opened as target, api.download("/api/v1/log/export") as pieces:
            for piece in pieces:
                target.write(piece)
                size += len(piece)
        # Under its name only when it is complete: a broken-off export must not be mistaken for one.
        draft.replace(file)
    except OSError as error:
        raise Stopped(f"cannot write {file}: {error.strerror}", USAGE) from error
    return {"file": str(file), "bytes": size}, YES


def verify(file: Path, vkey: str) -> tuple[Any, int]:
    """Verify an export with the log's public key. Needs no database and no network.

    0 everything holds, 1 something does not, 2 the key or the file's name is wrong.
    """
    from key2xs.ledger.note import NoteError
    from key2xs.ledger.verify import verify_export

    try:
        report = verify_export(file, vkey)
    except NoteError as error:
        raise Stopped(f"the key is not one: {error}", USAGE) from error
    except OSError as error:
        raise Stopped(f"cannot read {file}: {error.strerror}", USAGE) from error
    answer = {
        "ok": report.ok,
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "entries": report.entries,
        "openings_checked": report.openings_checked,
        "openings_absent": report.openings_absent,
        "streams_checked": report.streams_checked,
        "streams_disclosed": report.streams_disclosed,
        "problem_count": report.problem_count,
        "problems": [str(problem) for problem in report.problems],
    }
    return answer, YES if report.ok else NO


def show_verify(answer: Any) -> None:
    """Print what was verified."""
    if answer["ok"]:
        words.say(f"{answer['origin']}: {answer['entries']} entries verified, root {answer['root']}")
        words.say(
            f"{answer['openings_checked']} disclosed values match, {answer['openings_absent']} are not disclosed, "
            f"{answer['streams_checked']} streams have no gap"
        )
        return
    words.say(f"NOT verified: {answer['problem_count']} problems")
    for problem in answer["problems"][:_ERRORS_SHOWN]:
        words.say(f"  {problem}")


def export_matrix(api: Api, file: Path) -> tuple[Any, int]:
    """Write the authority matrix as CSV."""
    with api.download("/api/v1/authority.csv") as pieces, file.open("wb") as target:
        size = sum(target.write(piece) for piece in pieces)
    return {"file": str(file), "bytes": size}, YES


def show_matrix_file(answer: Any) -> None:
    """Say where the matrix is."""
    words.say(f"{answer['file']}: {answer['bytes']} bytes")


def propose_matrix(api: Api, file: Path, reason: str, *, dry_run: bool) -> tuple[Any, int]:
    """Propose a matrix, or only look at the difference."""
    body = {"matrix": file.read_text(encoding="utf-8"), "reason": reason, "dry_run": dry_run}
    return api.post("/api/v1/authority", body), YES


def show_matrix_change(answer: Any) -> None:
    """Print the difference, row by row."""
    for each in answer["changes"]:
        before, after = each["before"] or "not at all", each["after"] or "not at all"
        words.say(f"{each['role']}  {each['permission']}  {each['scope']}: {before} -> {after}")
    if answer["proposal"]:
        words.say(f"Proposal {answer['proposal']} waits for a second person.")
