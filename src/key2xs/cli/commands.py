"""The commands and their options; each calls one function of a file beside this one."""

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from cyclopts import App, CycloptsError, Parameter

from key2xs import __version__

from . import accounts, answers, files, service
from .adoption_commands import adoption_apps
from .client import Api, Options
from .continuity import continuity_apps
from .coverage import coverage_apps
from .custody import custody_apps
from .drift import drift_apps
from .exits import UNKNOWN, USAGE, Stopped
from .mass import mass_apps
from .safety import safety_apps

app = App(
    name="key2xs",
    help="Electronic keys that follow identity, permit and policy.\n\nExit codes: 0 yes or done, 1 no, 2 wrong use, "
    "3 not known.",
    version=__version__,
    result_action="return_value",
)
log = App(name="log", help="The log.")
user = App(name="user", help="Users.")
token = App(name="token", help="API tokens.")
session = App(name="session", help="Sign-ins.")
authority = App(name="authority", help="The authority matrix.")
settings = App(name="settings", help="Settings.")
for group in (log, user, token, session, authority, settings):
    app.command(group)

Config: TypeAlias = Annotated[Path | None, Parameter(help="Settings file (TOML); also KEY2XS_CONFIG.")]
At: TypeAlias = Annotated[str | None, Parameter(help="An instant with its time zone; now when left out.")]
Reason: TypeAlias = Annotated[str, Parameter(help="Why; it goes on the log.")]
DryRun: TypeAlias = Annotated[bool, Parameter(help="Only look; change nothing.", negative="")]

_options = Options()
_transport: Any = None


def run_command(arguments: Sequence[str], *, transport: Any = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: what stands after the program's name.
        transport: how to reach the service in tests; None for the network.
    """
    global _transport  # noqa: PLW0603 - one command a process
    _transport = transport
    try:
        code = app.meta(list(arguments), exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return USAGE
    except Stopped as error:
        sys.stderr.write(f"key2xs: {error}\n")
        return error.code
    except KeyboardInterrupt:
        return UNKNOWN
    return code if isinstance(code, int) else 0


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    url: Annotated[str, Parameter(help="Where the service is; also KEY2XS_URL.")] = "",
    token: Annotated[
        str, Parameter(help="API token; better in KEY2XS_TOKEN, where others do not see it.")
    ] = "",
    json: Annotated[bool, Parameter(help="Print the answer as JSON.", negative="")] = False,
) -> Any:
    global _options  # noqa: PLW0603 - one command a process
    _options = Options(url=url, token=token, json=json)
    return app(tokens, exit_on_error=False, print_error=True, result_action="return_value")


@app.command
def serve(
    *,
    only: Annotated[
        bool, Parameter(help="Answer HTTP only; loops run in other processes.", negative="")
    ] = False,
    config: Config = None,
) -> int:
    """Run the service: everything in one process, or with `--only` the web side alone."""
    return service.run_service(config, frozenset({"serve"} if only else {"serve", "worker", "sequencer"}))


@app.command
def worker(*, config: Config = None) -> int:
    """Run the loops that decide grants and write keys."""
    return service.run_service(config, frozenset({"worker"}))


@app.command
def sequencer(*, config: Config = None) -> int:
    """Run the sequencer of the log; a second one waits until the first is gone."""
    return service.run_service(config, frozenset({"sequencer"}))


@app.command
def migrate(*, config: Config = None) -> int:
    """Bring the databases to the newest schema."""
    return service.migrate(config)


@app.command(name="import")
def import_(kind: str, file: Path, *, dry_run: DryRun = False) -> int:
    """Import a CSV file.

    Args:
        kind: areas, units, zones, assets, access_points, cylinders, asset_cylinders, companies, people,
            qualifications, shifts, duties or keys.
        file: the file.
        dry_run: only look.
    """
    return _ask(lambda api: files.import_file(api, kind, file, dry_run=dry_run), files.show_import)


@app.command
def import_site(folder: Path, *, dry_run: DryRun = False) -> int:
    """Import the files of a site that stand in a folder, in the order in which they build on each other.

    Args:
        folder: with areas.csv, units.csv, zones.csv, assets.csv and so on.
        dry_run: only look.
    """
    return _ask(lambda api: files.import_site(api, folder, dry_run=dry_run), files.show_site)


@app.command
def who_can_open(cylinder: str, *, at: At = None) -> int:
    """Say who can open a cylinder, and why.

    Args:
        cylinder: the stamp on the lock, its id, or the vendor's.
        at: a past instant.
    """
    return _ask(lambda api: answers.who_can_open(api, cylinder, at), answers.show_who_can_open)


@app.command
def explain(person: str, cylinder: str, *, at: At = None) -> int:
    """Say why a person may open a cylinder, or what is missing.

    Args:
        person: an id, or `scheme:reference` (personnel_no:00004344).
        cylinder: the stamp on the lock, its id, or the vendor's.
        at: an instant.
    """
    return _ask(lambda api: answers.explain(api, person, cylinder, at), answers.show_explain)


@app.command
def revoke(
    *,
    reason: Annotated[str, Parameter(help="Why; it goes on the log.")],
    grant: str | None = None,
    key: str | None = None,
    person: str | None = None,
    company: str | None = None,
    dry_run: DryRun = False,
) -> int:
    """Revoke a grant, block a key, or end all grants of a person; a company waits for a second person."""
    return _ask(
        lambda api: answers.revoke(
            api, reason=reason, dry_run=dry_run, grant=grant, key=key, person=person, company=company
        ),
        answers.show_revoke,
    )


@app.command
def exposure(
    *,
    key: Annotated[str | None, Parameter(help="One key: its stamp or id.")] = None,
    person: Annotated[
        str | None, Parameter(help="All keys of a person: personnel number, or id in the IAM.")
    ] = None,
    company: Annotated[str | None, Parameter(help="All keys of a company: its code.")] = None,
    zone: Annotated[
        str | None, Parameter(help="All keys that open something in a security zone: its code.")
    ] = None,
) -> int:
    """Say until when keys could still open and why, what is left, and what would shorten it."""
    return _ask(
        lambda api: answers.exposure(api, key=key, person=person, company=company, zone=zone),
        answers.show_exposure,
    )


@app.command
def reopened(
    *,
    key: Annotated[str | None, Parameter(help="Only of this key.")] = None,
    closed: Annotated[bool, Parameter(help="Also what was closed.", negative="")] = False,
) -> int:
    """Say which published bounds a finding opened again, and why; 1 when some stand."""
    return _ask(lambda api: answers.reopened(api, key, closed=closed), answers.show_reopened)


@app.command
def put_right(finding: str, *, reason: Reason) -> int:
    """Say that what opened a bound again was put right: bounds that rest on it count again."""
    return _ask(
        lambda api: answers.settle(api, finding, reason),
        lambda done: answers.show_reopened({"items": [done]}),
    )


@log.command
def export(file: Path) -> int:
    """Write the whole log into a file that a stranger can verify; gzip'd when the name ends in .gz."""
    return _ask(
        lambda api: files.export_log(api, file),
        lambda done: print(f"{done['file']}: {done['bytes']} bytes"),  # noqa: T201 - it talks to a terminal
    )


@log.command
def confirm_restored(
    *,
    reason: Annotated[str, Parameter(help="What was checked; it goes on the log.")],
    login: Annotated[str, Parameter(help="Who confirms; asks for the password.")],
    config: Config = None,
) -> int:
    """End narrow-only after a restore, once every key was read again. Runs on the databases, not over the API."""
    return service.confirm_restored(config, reason, login)


@app.command
def verify(
    file: Path,
    *,
    vkey: Annotated[
        str,
        Parameter(help="The log's public key; /api/v1/status shows it, better have it from the site itself."),
    ],
) -> int:
    """Verify an exported log. Needs no database and no network."""
    return _show(files.verify(file, vkey), files.show_verify)


@user.command(name="add")
def add_user(
    login: str,
    *,
    role: Annotated[list[str], Parameter(help="May stand several times.")],
    name: str | None = None,
    person: Annotated[
        str | None, Parameter(help="The person this user is; needed to approve anything.")
    ] = None,
    reason: Annotated[str, Parameter(help="Why; it goes on the log. Needed unless --local.")] = "",
    local: Annotated[
        bool, Parameter(help="Straight into the databases, for the first user.", negative="")
    ] = False,
    config: Config = None,
) -> int:
    """Make a user; prints a one-time password."""
    if not local and not reason:
        raise Stopped("say why with --reason", USAGE)
    if local and person is not None:
        raise Stopped("--person needs the running service: leave out --local", USAGE)
    if local:
        return _show(service.add_user_here(config, login, role, name), accounts.show_user)
    return _ask(lambda api: accounts.add_user(api, login, role, name, person, reason), accounts.show_user)


@token.command(name="add")
def add_token(
    label: str,
    *,
    reason: Reason,
    permission: Annotated[
        list[str] | None, Parameter(help="May stand several times; all one has if none.")
    ] = None,
    days: int = 90,
    login: Annotated[str | None, Parameter(help="Sign in as this user; asks for the password.")] = None,
) -> int:
    """Make an API token for oneself; prints it once."""
    return _ask(
        lambda api: accounts.add_token(api, label, permission or [], days, login, reason), accounts.show_token
    )


@user.command(name="list")
def list_users() -> int:
    """List users with their roles and last sign-in."""
    return _ask(accounts.list_users, accounts.show_users)


@user.command(name="roles")
def set_roles(
    user_id: str, *, role: Annotated[list[str], Parameter(help="May stand several times.")], reason: Reason
) -> int:
    """Set what a user may do from now on; the user's sign-ins end."""
    return _ask(lambda api: accounts.set_roles(api, user_id, role, reason), accounts.show_changed)


@user.command(name="link")
def link_user(
    user_id: str,
    *,
    reason: Reason,
    person: Annotated[str | None, Parameter(help="An id or `scheme:reference`; none unlinks.")] = None,
) -> int:
    """Say which person a user is. For a day neither of you is one half of two people."""
    return _ask(lambda api: accounts.link(api, user_id, person, reason), accounts.show_changed)


@user.command(name="password")
def reset_password(user_id: str, *, reason: Reason) -> int:
    """Give a user a new one-time password; the user's sign-ins end."""
    return _ask(lambda api: accounts.act_on_user(api, user_id, "password", reason), accounts.show_user)


@user.command(name="choose-password")
def choose_password(login: str) -> int:
    """Sign in with a one-time password and set one's own; asks for both, or reads two lines from a pipe."""
    return _ask(lambda api: accounts.choose_password(api, login), accounts.show_done)


@user.command(name="disable")
def disable_user(user_id: str, *, reason: Reason) -> int:
    """Keep a user out for good; sign-ins end and tokens stop."""
    return _ask(lambda api: accounts.act_on_user(api, user_id, "disable", reason), accounts.show_changed)


@session.command(name="list")
def list_sessions() -> int:
    """List sign-ins that have not ended: one's own, or everybody's for an administrator."""
    return _ask(accounts.list_sessions, accounts.show_sessions)


@session.command(name="end")
def end_session(session_id: str, *, reason: Reason) -> int:
    """End a sign-in."""
    return _ask(lambda api: accounts.end(api, "sessions", session_id, "end", reason), accounts.show_done)


@token.command(name="list")
def list_tokens() -> int:
    """List tokens: one's own, or everybody's for an administrator."""
    return _ask(accounts.list_tokens, accounts.show_tokens)


@token.command(name="revoke")
def revoke_token(token_id: str, *, reason: Reason) -> int:
    """Make a token count no more."""
    return _ask(lambda api: accounts.end(api, "tokens", token_id, "revoke", reason), accounts.show_done)


@authority.command(name="export")
def export_matrix(file: Path) -> int:
    """Write the authority matrix as CSV."""
    return _ask(lambda api: files.export_matrix(api, file), files.show_matrix_file)


@authority.command(name="propose")
def propose_matrix(
    file: Path,
    *,
    reason: Annotated[str, Parameter(help="Why; the second person reads it.")],
    dry_run: DryRun = False,
) -> int:
    """Show what a matrix changes and let it wait for a second person."""
    return _ask(
        lambda api: files.propose_matrix(api, file, reason, dry_run=dry_run), files.show_matrix_change
    )


@settings.command(name="check")
def check_settings(
    *,
    production: Annotated[bool, Parameter(help="Judge as for production.", negative="")] = False,
    config: Config = None,
) -> int:
    """Say what is missing or unsafe in the settings."""
    return _show(service.check_settings(config, production=production), service.show_settings)


def _ask(question: Callable[[Api], tuple[Any, int]], show: Callable[[Any], None]) -> int:
    with _api() as api:
        return _show(question(api), show)


def _show(answered: tuple[Any, int], show: Callable[[Any], None]) -> int:
    answer, code = answered
    if _options.json:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
    else:
        show(answer)
    return code


@contextmanager
def _api() -> Any:
    api = Api(_options, _transport)
    try:
        yield api
    finally:
        api.close()


for made in (
    *adoption_apps(_ask),
    *custody_apps(_ask),
    *continuity_apps(_ask),
    *safety_apps(_ask),
    *coverage_apps(_ask),
    *mass_apps(_ask),
    *drift_apps(_ask),
):
    app.command(made)
