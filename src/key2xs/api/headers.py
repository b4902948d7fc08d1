"""Headers that every answer carries, errors included: set just before sending, where nothing can be forgotten."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

from key2xs.core.settings import HTTP

# htmx needs no eval here (its SSE extension and attributes do not); pictures and fonts come from us only.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; img-src 'self' data:; manifest-src 'self'; script-src 'self'; style-src 'self'"
)
_ALWAYS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",  # the key desk scans codes
    # Not `no-referrer`: browsers would then send `Origin: null` with our own forms, which looks like a stranger's.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TWO_YEARS: Final = "max-age=63072000; includeSubDomains"
# What may be kept by caches says so itself; everything else may be about people.
_CACHE: Final = "no-store"


def header_hook(http: HTTP) -> Callable[[Message, Scope], Awaitable[None]]:
    """Return the hook for `before_send`."""
    headers = dict(_ALWAYS)
    if has_tls(http):
        headers["Strict-Transport-Security"] = _TWO_YEARS

    async def set_headers(message: Message, _scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        sent = MutableScopeHeaders.from_message(message)
        for name, value in headers.items():
            sent.setdefault(name, value)
        sent.setdefault("Cache-Control", _CACHE)

    return set_headers


def has_tls(http: HTTP) -> bool:
    """Tell whether browsers reach us by https."""
    return bool(http.tls_certificate) or http.behind_tls_proxy


def cookie_settings(http: HTTP) -> dict[str, Any]:
    """Return how the session cookie is set.

    With TLS it has the `__Host-` prefix: no other host and no plain-http page can set it. *Lax*, because people come
    from links in tickets and mails; unsafe requests need the CSRF token besides.
    """
    secure = has_tls(http)
    name = "__Host-key2xs" if secure else "key2xs"
    return {"key": name, "path": "/", "httponly": True, "secure": secure, "samesite": "lax"}
