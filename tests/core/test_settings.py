"""Settings: environment over file, misspelt names refused, production refuses what a plant may not run with."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from key2xs.core.errors import InvalidInput, UnsafeSettings
from key2xs.core.secret import Secret
from key2xs.core.settings import Settings, check_production, load_settings, parse_settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def safe(**changes: Any) -> dict[str, Any]:
    """Return settings that production accepts, with some changed."""
    return {
        "production": True,
        "master_key": "/run/secrets/master",
        "http": {"behind_tls_proxy": True},
        "database": {role: f"postgresql://{role}@db/key2xs" for role in ("app", "log", "read", "vault")},
        "log": {
            "origin": "site.example/log",
            "signing_key": "/run/secrets/log",
            "checkpoint_copy": "/srv/checkpoint",
        },
    } | changes


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('site_code = "RTX"\n[http]\nport = 1000\n', encoding="utf-8")
    settings = load_settings(file, {"KEY2XS_HTTP__PORT": "2000", "PORT": "3000"})
    assert (settings.site_code, settings.http.port) == ("RTX", 2000)


def test_port_alone_sets_the_port() -> None:
    assert load_settings(None, {"PORT": "3000"}).http.port == 3000


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"produktion": True}, "settings"),  # a misspelt safety switch
        ({"http": {"port": "many"}}, "http.port"),
        ({"leases": {"longest_minutes": []}}, "leases.longest_minutes"),
    ],
)
def test_a_wrong_setting_is_named(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_settings(raw)
    assert caught.value.field == field


def test_secrets_do_not_print() -> None:
    settings = parse_settings({"scim": [{"name": "entra", "token": "very-secret-token"}]})
    assert "very-secret-token" not in repr(settings)
    assert settings.scim[0].token.reveal() == "very-secret-token"
    assert not Secret("")


def test_production_takes_safe_settings() -> None:
    check_production(parse_settings(safe()))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"demo_time": True}, "demo_time"),
        ({"master_key": None}, "master_key"),
        ({"http": {}}, "TLS"),
        ({"database": {"app": "postgresql://x"}}, "database"),
        ({"log": {"origin": "x"}}, "signing_key"),
        ({"log": {"origin": "x", "signing_key": "/x"}}, "checkpoint_copy"),
        ({"scim": [{"name": "entra", "token": "short"}]}, "scim"),
        ({"permits": [{"name": "eptw", "secrets": []}]}, "permit"),
        ({"permits": [{"name": "eptw", "secrets": ["short"]}]}, "permit source is shorter"),
        ({"syslog": [{"name": "siem", "host": "siem"}]}, "syslog"),
        (
            {
                "iloq": [
                    {
                        "name": "i",
                        "base_url": "http://x",
                        "customer_code": "c",
                        "user_name": "u",
                        "password": "p",
                    }
                ]
            },
            "iLOQ",
        ),
    ],
)
def test_production_refuses_what_a_plant_may_not_run_with(change: dict[str, Any], word: str) -> None:
    with pytest.raises(UnsafeSettings, match=word):
        check_production(parse_settings(safe(**change)))


def test_every_setting_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    missing = [name for name in _names(Settings) if f"`{name}`" not in text and f".{name}`" not in text]
    assert missing == []


def _names(kind: type) -> list[str]:
    found = []
    for field in msgspec.structs.fields(kind):
        inner = [
            part
            for part in (field.type, *get_args(field.type))
            if isinstance(part, type) and hasattr(part, "__struct_fields__")
        ]
        found += _names(inner[0]) if inner else [field.name]
    return found
