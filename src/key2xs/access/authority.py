"""The matrix in force, how it changes, and who may be the second person."""

from datetime import datetime, timedelta
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, Key2XSError, NotAllowed
from key2xs.core.ids import UserId
from key2xs.core.sql import load_queries
from key2xs.core.tri import Tri
from key2xs.ledger import Entry, Lane, Ledger
from key2xs.policy.acts import EVERYWHERE, Account, ActQuestion, Place, check_rules, judge
from key2xs.policy.acts.types import Part, Proposer

from .holdings import Holdings, holdings_of
from .matrix import Change, Matrix, conflicts_of, differences, parse_matrix, shipped_matrix
from .permissions import BUILT_IN_SECOND, Permission
from .types import Principal, User

_SQL = load_queries("key2xs.access", "queries_matrix.sql")

COOLING: Final = timedelta(hours=24)
"""How long an account that somebody else touched, and whoever touches accounts, is no half of two people."""
SUBJECT: Final = "matrix:access"
_OWN_COOLING: Final = frozenset({"guardrail.act.altered", "guardrail.act.administered"})
_OTHER_COOLING: Final = "guardrail.act.proposer_altered"
_TWO: Final = 2


class MatrixUnusable(Key2XSError):
    """The stored authority matrix does not fit this version of Key2XS; restore the matrix of its time."""


class Authority:
    """Reads and changes the matrix, and answers about acts."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every change with `ledger`."""
        self._ledger = ledger
        self._known: dict[tuple[int, str], Matrix] = {}

    async def current(self, tx: Connection) -> Matrix:
        """Return the matrix in force.

        Raises:
            MatrixUnusable: the stored one cannot be read; then nobody may do anything.
        """
        row = await tx.fetchrow(_SQL["newest_matrix"])
        if row is None:
            return shipped_matrix()
        name = (row["version"], row["hash"])
        if name not in self._known:
            stored = await tx.fetchval(_SQL["matrix_rows"], row["version"])
            try:
                self._known = {name: parse_matrix(stored, version=row["version"])}
            except InvalidInput as error:
                raise MatrixUnusable(f"authority matrix {row['version']}: {error}") from error
        return self._known[name]

    async def holdings(self, tx: Connection, roles: tuple[str, ...]) -> Holdings:
        """Return what some roles may do now."""
        return holdings_of((await self.current(tx)).rules, frozenset(roles))

    async def check_change(self, tx: Connection, text: str) -> tuple[Matrix, list[Change]]:
        """Read a new matrix and compare it with the one in force.

        Raises:
            InvalidInput: names the row that cannot stand.
            Conflict: it changes nothing, two roles that somebody has together may no longer be one person, or no two
                people could change it again.
        """
        now = await self.current(tx)
        new = parse_matrix(text, version=now.version + 1)
        problems = check_rules(new.rules)
        if problems:
            raise InvalidInput("matrix", problems[0])
        changes = differences(now, new)
        if not changes:
            raise Conflict("this matrix says what the one in force says")
        for row in await tx.fetch(_SQL["role_sets"]):
            why = conflicts_of(row["roles"], new.rules)
            if why:
                raise Conflict(f"somebody has roles that this matrix keeps apart: {why}")
        changing = sorted({row.role for row in new.rows if row.permission == Permission.ACCESS_MATRIX_CHANGE})
        if await tx.fetchval(_SQL["people_with_roles"], changing) < _TWO:
            raise Conflict(
                f"fewer than two people have {', '.join(changing)}, so this matrix could never be changed again"
            )
        return new, changes

    async def put_in_force(
        self, tx: Connection, text: str, *, was: str, proposed_by: UserId, confirmed_by: UserId, at: datetime
    ) -> Matrix:
        """Put a matrix in force that two people agreed on.

        Args:
            tx: a transaction.
            text: the matrix as CSV.
            was: the hash of the matrix that the two looked at.
            proposed_by: the first of them.
            confirmed_by: the second.
            at: when.

        Raises:
            Conflict: another matrix came into force meanwhile, so the difference they saw is not this one.
            InvalidInput: it cannot stand.
        """
        await self._ledger.lock_heads(tx, [SUBJECT])
        before = await self.current(tx)
        if before.hash != was:
            raise Conflict("another matrix came into force meanwhile; look at the difference again")
        matrix, changes = await self.check_change(tx, text)
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="access:matrix:change",
                occurred_at=at,
                recorded_at=at,
                actor=f"user:{proposed_by}",
                subjects=(SUBJECT,),
                heads=(SUBJECT,),
                body={
                    "version": matrix.version,
                    "hash": matrix.hash,
                    "before": before.hash,
                    "changes": len(changes),
                    "confirmed_by": f"user:{confirmed_by}",
                },
                lane=Lane.CONTROL,
            ),
        )
        await tx.execute(
            _SQL["insert_matrix"],
            matrix.version,
            matrix.hash,
            matrix.text,
            proposed_by,
            confirmed_by,
            at,
            entry,
        )
        return matrix

    async def require_second(
        self,
        tx: Connection,
        by: Principal,
        user: User,
        proposer: User | None,
        permission: Permission,
        at: datetime,
        *,
        part: Part = "second",
        place: Place = EVERYWHERE,
    ) -> None:
        """Refuse somebody who may not be the second person, or may be the first one again.

        Args:
            tx: a transaction.
            by: who wants to confirm.
            user: the same, as stored.
            proposer: who proposed; None: nobody known.
            permission: what confirming takes.
            at: when.
            part: `approve` for acts where the accounts' last change does not count.
            place: where it takes effect.

        Raises:
            NotAllowed: says every reason.
        """
        question = ActQuestion(
            Account(
                frozenset(by.roles),
                linked="yes" if by.person_id is not None else "no",
                altered=_lately(user.altered_at, at),
                administered=_lately(user.administered_at, at),
            ),
            str(permission),
            place,
            via=by.kind,
            token_holds="none" if by.kind != "token" else "yes" if by.may(permission) else "no",
            part=part,
            proposer=_proposer(by, proposer),
            proposer_altered=_lately(proposer.altered_at, at) if proposer is not None else "no",
            second="built_in" if permission in BUILT_IN_SECOND else "none",
        )
        verdict = judge(question, (await self.current(tx)).rules)
        if not verdict.allowed:
            why = [*verdict.reasons, *_counts_from(verdict.policies, user, proposer, at)]
            raise NotAllowed(" ".join(why) or f"needs the permission {permission}")


def _proposer(by: Principal, proposer: User | None) -> Proposer:
    if proposer is None or proposer.person_id is None or by.person_id is None:
        return "self" if proposer is not None and proposer.id == by.user_id else "unknown"
    return "self" if by.user_id == proposer.id or by.person_id == proposer.person_id else "other"


def not_second_until(user: User, at: datetime) -> datetime | None:
    """Return until when an account is no half of two people; None when it may be."""
    ends = [since + COOLING for since in (user.altered_at, user.administered_at) if since is not None]
    return max((end for end in ends if end > at), default=None)


def _counts_from(policies: tuple[str, ...], user: User, proposer: User | None, at: datetime) -> list[str]:
    """Say from when an account counts that was refused only for being too new a half of two people."""
    said = []
    own = not_second_until(user, at)
    if own is not None and not _OWN_COOLING.isdisjoint(policies):
        said.append(f"Your account counts from {_stamp(own)} on.")
    # Whoever changed other accounts may still propose: only what was done to the proposer's own counts.
    if _OTHER_COOLING in policies and proposer is not None and proposer.altered_at is not None:
        said.append(f"The account that proposed it counts from {_stamp(proposer.altered_at + COOLING)} on.")
    return said


def _stamp(at: datetime) -> str:
    """Write an instant rounded up to the minute, so that it is never too early."""
    return f"{at + timedelta(minutes=1, microseconds=-1):%Y-%m-%d %H:%M UTC}"


def _lately(when: datetime | None, at: datetime) -> Tri:
    return "yes" if when is not None and at - when < COOLING else "no"
