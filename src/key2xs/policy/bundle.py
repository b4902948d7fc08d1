"""A bundle: guardrails, site policies and site data, checked as one and known by its hash.

The guardrails and the schema ship with the product. A site writes policies and data; `make_bundle` puts the shipped
guardrails in front of them, so a bundle without them cannot be made. The texts of all four parts are kept in the
bundle, so a decision can be replayed after the product has moved on (`restore_bundle`).

Cedar forgives too much for us: it takes two policies with one `@id`, and skips a `forbid` that errs. What can be
known before the first decision is refused here, naming the policy.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from key2xs.core.errors import Key2XSError

from .checks import Problem, check_policies
from .site_data import SiteDataInvalid, parse_site_data

SHIPPED_VERSION: Final = "shipped-1"
BUNDLE_BYTES_MAX: Final = 256 * 1024  # hundreds of policies; a larger text is a mistake or an attack


class BundleInvalid(Key2XSError):
    """The bundle cannot be used; `problems` names each policy and what is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


@dataclass(frozen=True, slots=True)
class Bundle:
    """One checked set of rules. Make it with `make_bundle`, `restore_bundle` or `shipped_bundle` only.

    It is plain text, so it can be sent to a worker process, which parses it once.
    """

    version: str
    hash: str
    schema: str
    guardrails: str
    policies: str
    site_data: str


def make_bundle(version: str, *, policies: str, site_data: str) -> Bundle:
    """Check a site's policies and data together with the shipped guardrails.

    Raises:
        BundleInvalid: with every problem found, each naming its policy.
    """
    return restore_bundle(
        version,
        schema=_shipped("schema.cedarschema"),
        guardrails=_shipped_folder("guardrails"),
        policies=policies,
        site_data=site_data,
    )


def restore_bundle(version: str, *, schema: str, guardrails: str, policies: str, site_data: str) -> Bundle:
    """Rebuild a stored bundle, with the schema and guardrails of its own time, for replay.

    Raises:
        BundleInvalid: the texts do not stand together.
    """
    size = sum(len(text.encode()) for text in (schema, guardrails, policies, site_data))
    if size > BUNDLE_BYTES_MAX:
        raise BundleInvalid((Problem("", f"the bundle has {size} bytes, {BUNDLE_BYTES_MAX} are allowed"),))
    problems = [
        *_check_data(site_data),
        *check_policies(schema=schema, guardrails=guardrails, policies=policies),
    ]
    if problems:
        raise BundleInvalid(tuple(problems))
    return Bundle(
        version=version,
        hash=_hash(schema, guardrails, policies, site_data),
        schema=schema,
        guardrails=guardrails,
        policies=policies,
        site_data=site_data,
    )


@cache
def shipped_bundle() -> Bundle:
    """The bundle a new site starts with."""
    return make_bundle(SHIPPED_VERSION, policies=shipped_policies(), site_data=shipped_site_data())


def shipped_policies() -> str:
    """The default site policies as text, to start a site's own from."""
    return _shipped_folder("site_default")


def shipped_site_data() -> str:
    """The default site data as TOML text."""
    return _shipped("site_default/site.toml")


def _check_data(text: str) -> list[Problem]:
    try:
        parse_site_data(text)
    except SiteDataInvalid as error:
        return [Problem("site data", problem) for problem in error.problems]
    return []


def _hash(*texts: str) -> str:
    digest = sha256(b"key2xs-policy-bundle-1\n")
    for text in texts:
        data = text.encode()
        # The length in front of each part: moving a line from one part to the next changes the hash.
        digest.update(f"{len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def _shipped(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _shipped_folder(name: str) -> str:
    found: list[Traversable] = [
        f for f in files(__package__).joinpath(name).iterdir() if f.name.endswith(".cedar")
    ]
    return "\n".join(f.read_text(encoding="utf-8") for f in sorted(found, key=lambda f: f.name))
