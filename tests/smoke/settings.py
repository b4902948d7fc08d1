"""The product's settings file, naming everything around it."""

import json
from pathlib import Path
from typing import Any

from key2xs.core.postgres import RoleDsns
from key2xs_twin.certificates import Certificates
from key2xs_twin.rsyslog import Rsyslog

from .permits import WEBHOOK_SECRET

SCIM_TOKEN = "scim-token-Kdu7Yw2nQp4Zt6Vb8"
SINK = "siem"


def settings_text(
    *,
    data: Path,
    port: int,
    ready: dict[str, Any],
    siem: Rsyslog,
    certificates: Certificates,
    dsns: RoleDsns | None,
) -> str:
    """Return the settings of a product among these neighbours; without `dsns` it runs a database server itself."""
    names = ("app", "owner", "log", "read", "vault")
    lines = [
        'site_code = "RTX"',
        f"data_dir = {_text(data)}",
        "[http]",
        f"port = {port}",
        *(["[database]", *(f"{name} = {_text(getattr(dsns, name))}" for name in names)] if dsns else []),
        "[[scim]]",
        'name = "entra"',
        f"token = {_text(SCIM_TOKEN)}",
        "[[permits]]",
        'name = "eptw"',
        f"secrets = [{_text(WEBHOOK_SECRET)}]",
        "[[iloq]]",
        'name = "iloq"',
        f"base_url = {_text(ready['iloq'])}",
        f"customer_code = {_text(ready['customer_code'])}",
        f"user_name = {_text(ready['user_name'])}",
        f"password = {_text(ready['password'])}",
        f"lock_group = {_text(ready['lock_group_id'])}",
        "events_seconds = 2",
        "[[syslog]]",
        f"name = {_text(SINK)}",
        'host = "127.0.0.1"',
        f"port = {siem.port}",
        f"ca = {_text(certificates.ca)}",
        f"certificate = {_text(certificates.client.certificate)}",
        f"key = {_text(certificates.client.key)}",
        'server_name = "syslog.twin.test"',
    ]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return json.dumps(str(value))
