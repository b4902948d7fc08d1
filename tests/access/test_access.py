"""The access room by itself: secrets, paces, and tables that keep to P3."""

from datetime import timedelta

import asyncpg
import pytest

from key2xs.access import Access, TooManyAttempts, csrf_token, is_csrf_token, new_password
from key2xs.access.secrets import check_password, new_secret
from key2xs.access.throttle import (
    CODE_BURST,
    CODE_FREE,
    CODES_BURST,
    NAME_BURST,
    PAIR_BURST,
    UNKNOWN_BURST,
    Throttle,
)
from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.errors import InvalidInput
from key2xs.core.vault import Vault
from key2xs.ledger import Ledger
from tests.api.conftest import CHEAP


@pytest.fixture
def access(db: Database, vault: Vault, clock: ManualClock) -> Access:
    return Access(db, Ledger(vault), vault, clock, ManualClock(clock.now()), hasher=CHEAP)


def test_a_csrf_token_belongs_to_one_session() -> None:
    one, other = new_secret(), new_secret()
    assert is_csrf_token(csrf_token(one), one)
    assert not is_csrf_token(csrf_token(other), one)
    assert not is_csrf_token("", one)
    assert not is_csrf_token("ü", one)
    assert one not in csrf_token(one)


@pytest.mark.parametrize("password", ["", "short", "x" * 14, "a" * 20, "x" * 257])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(InvalidInput):
        check_password(password, "ada")


def test_new_passwords_are_good_enough_and_never_the_same() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        check_password(password, "ada")


def test_the_pace_recovers_with_time_and_does_not_remember_for_ever() -> None:
    elapsed = [0.0]
    throttle = Throttle(lambda: elapsed[0])
    for _ in range(PAIR_BURST):
        throttle.take(b"ada", "one")
    with pytest.raises(TooManyAttempts):
        throttle.take(b"ada", "one")
    throttle.take(b"eve", "one")
    throttle.take(b"ada", "two")  # nobody elsewhere can lock a name's owner out
    elapsed[0] += 30.1
    throttle.take(b"ada", "one")
    for number in range(21_000):
        throttle._wait("name", number, 1)
    assert len(throttle._buckets) <= 20_000


def test_many_addresses_together_are_slowed_down_for_one_name() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(NAME_BURST):
        throttle.take(b"ada", f"address {number}")
    with pytest.raises(TooManyAttempts):
        throttle.take(b"ada", "yet another")


def test_wrong_codes_slow_an_address_down_and_never_the_people_at_the_desk() -> None:
    elapsed = [0.0]
    throttle = Throttle(lambda: elapsed[0])
    for _ in range(CODE_BURST):
        throttle.take_code("10.0.0.1")
    with pytest.raises(TooManyAttempts):
        throttle.take_code("10.0.0.1")
    throttle.take_code("10.0.0.2")
    elapsed[0] += 2.1
    throttle.take_code("10.0.0.1")


def test_guessing_codes_from_many_addresses_is_bounded_and_locks_nobody_out() -> None:
    throttle = Throttle(lambda: 0.0)
    tried = 0
    for number in range(200):
        for _ in range(CODE_BURST):
            try:
                throttle.take_code(f"10.0.{number}.1")
            except TooManyAttempts:
                break
            tried += 1
    assert tried == CODES_BURST + 200 * CODE_FREE
    throttle.take_code("10.1.0.1")  # somebody else, with a code that was just read out


def test_a_network_of_one_subscriber_counts_as_one_address() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(CODE_BURST):
        throttle.take_code(f"2001:db8:0:1::{number:x}")
    with pytest.raises(TooManyAttempts):
        throttle.take_code("2001:db8:0:1:ffff::1")
    throttle.take_code("2001:db8:0:2::1")
    throttle.take_code("::ffff:10.0.0.1")
    throttle.forgive_code("2001:db8:0:1::7")
    throttle.take_code("2001:db8:0:1::8")


def test_a_flood_of_unknown_names_does_not_fill_the_log() -> None:
    throttle = Throttle(lambda: 0.0)
    assert sum(throttle.may_tell() for _ in range(1000)) == UNKNOWN_BURST


async def test_a_password_hash_is_worth_nothing_without_the_sites_key(
    access: Access, db: Database, vault: Vault, clock: ManualClock
) -> None:
    async with db.transaction() as tx:
        await access.users.make(
            tx, login="ada", roles=["soc"], actor="system:test", at=clock.now(), password="a long password"
        )
        stored = await tx.fetchval("SELECT password FROM access_user")
    assert stored.startswith("$argon2id$")
    with pytest.raises(Exception, match="does not match"):
        CHEAP.verify(stored, "a long password")
    CHEAP.verify(stored, vault.blind("access-password", "a long password"))


@pytest.mark.parametrize("table", ["access_user", "access_token", "access_proposal"])
async def test_no_row_changes_without_its_entry_and_none_is_deleted(
    access: Access, db: Database, db_dsns: object, clock: ManualClock, table: str
) -> None:
    async with db.transaction() as tx:
        user = await access.users.make(tx, login="ada", roles=["soc"], actor="system:test", at=clock.now())
        await access.tokens.make(
            tx,
            owner_id=user,
            label="x",
            permissions=["keys:key:block"],
            valid_for=timedelta(days=1),
            actor="system:test",
        )
    changes = {
        "access_user": "UPDATE access_user SET roles = '{administrator}'",
        "access_token": "UPDATE access_token SET permissions = '{access:user:manage}'",
        "access_proposal": (
            "INSERT INTO access_proposal (id, kind, subject, payload, reason, proposed_by, proposed_at, expires_at, "
            "state, entry) SELECT id, 'mass_revoke', 'x:y', '{}', 'x', id, made_at, made_at, 'open', 1 FROM access_user"
        ),
    }
    with pytest.raises(asyncpg.PostgresError) as refused:
        async with db.transaction() as tx:
            await tx.execute(changes[table])
    assert refused.value.sqlstate == "K2X02"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction() as tx:
            await tx.execute(f"DELETE FROM {table}")


async def test_the_read_only_role_sees_no_secret(access: Access, read_db: Database) -> None:
    for column in (
        "access_user.password",
        "access_user.login",
        "access_token.digest",
        "access_session.digest",
    ):
        table, _, name = column.partition(".")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with read_db.read() as tx:
                await tx.fetch(f"SELECT {name} FROM {table}")


async def test_a_user_whose_key_is_erased_is_a_number_only(
    access: Access, db: Database, vault: Vault, clock: ManualClock
) -> None:
    async with db.transaction() as tx:
        user = await access.users.make(
            tx, login="ada", roles=["soc"], actor="system:test", at=clock.now(), display_name="Ada"
        )
        assert (await access.users.names(tx, user)).display_name == "Ada"
    await vault.erase(user)
    async with db.read() as tx:
        names = await access.users.names(tx, user)
    assert (names.login, names.display_name) == (None, None)
