"""What somebody sees who starts a twin by hand: where it listens, how to sign in, and a few calls to try."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from key2xs_twin.devices.kinds import KeyKind

if TYPE_CHECKING:
    from key2xs_twin.serving import TwinServer


def guide(server: TwinServer) -> str:
    """Addresses, accounts and commands for a shell; each command works as it stands, in this order."""
    world = server.world
    account, cliq = world.iloq.account, world.cliq.account
    iloq, cliq_base = f"{server.vendor_url}/iloqws/api/v2", f"{server.vendor_url}/cliq-sim/v1"
    control = server.control_url
    sign_in = {
        "CustomerCode": account.customer_code,
        "UserName": account.user_name,
        "Password": account.password,
    }
    later = (world.now + timedelta(hours=1)).isoformat()
    kept_iloq = """sed 's/.*"SessionID":"\\([^"]*\\)".*/\\1/'"""
    kept_cliq = """sed 's/.*"session":"\\([^"]*\\)".*/\\1/'"""
    group = {"LockGroup_ID": str(account.lock_group_id)}
    cliq_sign_in = {"client": cliq.client, "secret": cliq.secret}
    limits = {"iloq": {"per_second": 3, "burst": 3, "per_day": 100}}
    field, seed = world.cliq_field, world.rng.seed
    iloq_has = f"{len(world.locks)} iLOQ locks, {len(world.keys)} keys"
    cliq_has = f"{len(field.cylinders)} CLIQ cylinders, {len(field.keys)} keys"
    lines = [
        f"A twin of {account.name}: {iloq_has}; {cliq_has}. Seed {seed}.",
        f"It is {world.now.isoformat()} in there, {_pace(server.speed)}.",
        "",
        f"iLOQ Public API v2   {iloq}   user {account.user_name}, customer {account.customer_code}",
        f"CLIQ (simulated)     {cliq_base}   client {cliq.client}",
        f"control              {control}",
        "",
        "Try this:",
        "",
        "# sign in to iLOQ, choose the locking system, list keys",
        f"S=$({_post(f'{iloq}/CreateSession', sign_in)} | {kept_iloq})",
        _post(f'{iloq}/SetLockgroup -H "SessionId: $S"', group),
        f'curl -s {iloq}/Keys -H "SessionId: $S" | head -c 400',
        "# the same of CLIQ",
        f"C=$({_post(f'{cliq_base}/sessions', cliq_sign_in)} | {kept_cliq})",
        f'curl -s {cliq_base}/system -H "X-Session: $C"',
        *_acts(server, control),
        "# an hour passes",
        _post(f"{control}/advance", {"to": later}),
        "# from now on three calls a second, and a hundred a day; then see what is left",
        _post(f"{control}/limits", limits),
        f"curl -s {control}/state",
        "",
    ]
    return "\n".join(lines)


def _post(url: str, body: object) -> str:
    return f"curl -s {url} -H 'Content-Type: application/json' -d '{json.dumps(body)}'"


def _pace(speed: float) -> str:
    return f"and time passes {speed:g} times as fast as outside" if speed else "until somebody says *advance*"


def _acts(server: TwinServer, control: str) -> list[str]:
    """Who could open some lock, and somebody who tries."""
    world = server.world
    lock = next(iter(world.locks.values()), None)
    key = next((each for each in world.keys.values() if each.kind is KeyKind.PHONE), None)
    if lock is None or key is None:
        return []
    stamp = world.iloq.state.keys[key.key_id].stamp
    act = {"act": "present", "key": stamp, "lock": lock.stamp, "person": "you"}
    return [
        f"# hold key {stamp} to lock {lock.stamp}; what the devices themselves would open for",
        _post(f"{control}/act", act),
        f"curl -s '{control}/who?lock={lock.stamp}' | head -c 400",
    ]
