"""Who sent these bytes, and when."""

from datetime import timedelta

import pytest

from key2xs.core.secret import Secret
from key2xs.work.signature import BadSignature, Scheme, sign, verify
from key2xs_twin.clients.webhook import make_secret, signature_of
from tests.work.worlds import NIGHT

BODY = b'{"a":1}'
OLD, NEW, OTHER = (Secret(make_secret(bytes([n]) * 32)) for n in (1, 2, 3))


def headers(*secrets: Secret, at: float = 0, body: bytes = BODY) -> dict[str, str]:
    """Headers as the independent client makes them, a signature for each secret."""
    stamp = int((NIGHT + timedelta(seconds=at)).timestamp())
    given = " ".join(signature_of(secret.reveal(), "m1", stamp, body) for secret in secrets)
    return {"webhook-id": "m1", "webhook-timestamp": str(stamp), "webhook-signature": given}


def check(given: dict[str, str], *secrets: Secret, body: bytes = BODY, scheme: Scheme | None = None) -> str:
    return verify(given, body, secrets=secrets, now=NIGHT, scheme=scheme or Scheme()).id


def test_an_independent_senders_signature_is_right() -> None:
    assert check(headers(OLD), OLD) == "m1"


def test_our_own_signature_is_the_independent_senders() -> None:
    assert sign("m1", NIGHT, BODY, secret=OLD) == headers(OLD)


@pytest.mark.parametrize("sent", [(OLD,), (NEW,), (OLD, NEW), (OTHER, NEW)])
def test_while_a_secret_is_replaced_either_one_counts(sent: tuple[Secret, ...]) -> None:
    assert check(headers(*sent), OLD, NEW) == "m1"


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_either_way_are_tolerated(seconds: int) -> None:
    assert check(headers(OLD, at=seconds), OLD) == "m1"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-signature": ""}, "webhook-signature is missing"),
        ({"webhook-id": ""}, "webhook-id is missing"),
        ({"webhook-timestamp": ""}, "webhook-timestamp is missing"),
        ({"webhook-timestamp": "yesterday"}, "not a number of seconds"),
        ({"webhook-timestamp": "-5"}, "not a number of seconds"),
        ({"webhook-timestamp": "99999999999"}, "not a number of seconds"),
        ({"webhook-id": "m2"}, "no signature of a known secret"),
        ({"webhook-id": "x" * 201}, "not usable as an id"),
        ({"webhook-signature": "v1,"}, "no signature of a known secret"),
        ({"webhook-signature": "v1,%%%"}, "no signature of a known secret"),
        ({"webhook-signature": headers(OLD)["webhook-signature"].replace("v1,", "v2,")}, "no signature"),
        ({"webhook-signature": headers(OTHER)["webhook-signature"]}, "no signature of a known secret"),
    ],
)
def test_a_message_without_a_right_signature_is_refused(change: dict[str, str], why: str) -> None:
    with pytest.raises(BadSignature, match=why):
        check({**headers(OLD), **change}, OLD)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_message_from_another_time_is_refused(seconds: int) -> None:
    with pytest.raises(BadSignature, match="away"):
        check(headers(OLD, at=seconds), OLD)


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(BadSignature):
        check(headers(OLD), OLD, body=BODY + b" ")


@pytest.mark.parametrize("empty", ["", "whsec_"])
def test_an_empty_secret_signs_for_nobody(empty: str) -> None:
    given = sign("m1", NIGHT, BODY, secret=Secret(empty))
    with pytest.raises(BadSignature):
        check(given, Secret(empty))
    with pytest.raises(BadSignature):
        check(given)


def test_a_source_that_signs_another_string_in_other_headers_can_be_configured() -> None:
    scheme = Scheme("x-id", "x-time", "x-sign", "sha256", "{timestamp}.{body}")
    given = sign("m1", NIGHT, BODY, secret=OLD, scheme=scheme)
    assert set(given) == {"x-id", "x-time", "x-sign"}
    assert check(given, OLD, scheme=scheme) == "m1"
    with pytest.raises(BadSignature):
        check(given, OLD)


def test_a_scheme_that_leaves_out_the_body_is_refused() -> None:
    with pytest.raises(ValueError, match="signs nothing"):
        sign("m1", NIGHT, BODY, secret=OLD, scheme=Scheme(signed="{id}.{timestamp}"))


def test_a_secret_without_the_prefix_is_its_own_text() -> None:
    plain = Secret("a-secret-in-plain-text-000")
    assert check(sign("m1", NIGHT, BODY, secret=plain), plain) == "m1"
