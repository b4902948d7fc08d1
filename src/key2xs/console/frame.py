"""What is around every page: who looks, the navigation, the age of the data, the time."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.response import Redirect

from key2xs.access import Permission, Principal, csrf_token
from key2xs.api.problems import NotSignedIn
from key2xs.api.web import Web, find_caller, web_of
from key2xs.core.database import Connection

from .render import html, render
from .tabs import Navigation, navigation_of
from .times import SiteTime
from .views.sources import Sources, read_sources
from .words import ROLES, named

Asked = Request[Any, Any, Any]
Reader = Callable[[Connection], Awaitable[Mapping[str, Any]]]

THEME_COOKIE: Final = "key2xs-theme"
THEMES: Final = ("auto", "light", "dark")

# What a page says after an act. Fixed sentences: nothing that comes in an address is ever shown as ours.
DONE: Final[Mapping[str, str]] = {
    "adopted": "Adopted: it keeps what it opens already, and may be handed out.",
    "answered": "Your answer is recorded. It prolongs nothing.",
    "approved": "Approved. Access begins as soon as everything else is in order.",
    "changed": "Changed, and on the log.",
    "disabled": "Disabled for good. Sign-ins have ended and tokens have stopped.",
    "second-asked": "A second person has to confirm it. When they have, send the same again and it is done.",
    "asked": "Asked. Somebody else decides; it stands below until then.",
    "blocked": "The key is blocked here, and the key system is being told. Below: until when it could still open.",
    "confirmed": "Confirmed and done. The page of a key says until when it could still open.",
    "handed-out": "Handed out. Access that its new holder has is being written to it.",
    "key-adopt": "Adopted, with what it holds. It may be handed out now.",
    "key-broken": "Reported broken. The key lies at the desk.",
    "key-due": "The due time is set.",
    "key-found": "Found. The key lies at the desk with nothing on it.",
    "key-found-stays": "Found. A safety rule keeps it with its holder; taking it back waits for a second person on Requests.",
    "key-hand-back": "Asked. It is handed back as soon as it is proven empty.",
    "key-lost": "Reported lost. Below: until when it could still open.",
    "key-repaired": "It may be handed out again.",
    "key-replace": "Replaced. Its holder has the other key.",
    "key-transfer": "Passed on. What it opens is decided anew.",
    "key-unblock": "It is coming off the block list. Below: what that waits for.",
    "held": "Everything ended but what a safety rule keeps; it is on Safety. The key is blocked when that is over.",
    "mistake": "Taken back as a mistake. The log keeps both.",
    "more-needed": "Approved. One more person has to approve.",
    "password": "Your new password is set.",
    "proposed": "Proposed. Nothing has changed yet; a second person confirms it on Requests.",
    "proceeded": "It proceeds now. The page of a key says until when it could still open.",
    "refused": "Refused.",
    "reported": "Recorded.",
    "rules": "The rules are in force. Everything that was given is being decided again.",
    "drill": "Recorded. The next one is due as the settings say.",
    "paper-closed": "The paper permit is closed. It still has to be entered in the permit system when that is back.",
    "paper-entered": "Noted and closed. Access goes on under the permit system's own permit.",
    "proposed-paper": "Put to a second person. It stands under Requests until somebody else confirms it.",
    "seal-broken": "Noted. Call the key back when the emergency is over; somebody else reviews it.",
    "seal-checked": "Noted: the seal is whole.",
    "seal-recalled": "Called back. It comes back under a new seal.",
    "seal-reviewed": "Reviewed.",
    "sealed": "Under seal. An opening by this key is the top alarm from now on.",
    "source-back": "The permit system counts as back. Paper permits have to be entered in it.",
    "reverting": "It is being undone: the key is written what its grants allow.",
    "settled": "Settled.",
    "told-first": "The shift leader is told first. It proceeds by itself when the time on Safety is up.",
    "watching": "Their check-ins are watched from now on.",
    "taken-back": "Taken back. Everything on it is being removed.",
    "withdrawn": "Taken back. Nothing was changed.",
}


@dataclass(frozen=True, slots=True)
class Page:
    """The frame's own values, `page` in templates."""

    tab: str
    path: str
    url: str
    site_name: str
    theme: str
    caller: Principal
    sources: Sources
    demo: bool
    done: str | None
    query: str = ""

    @property
    def csrf(self) -> str:
        """The token every form carries."""
        return csrf_token(self.caller.secret)

    @property
    def role(self) -> str:
        """What the account is, in words."""
        return ", ".join(named(ROLES, role) for role in sorted(self.caller.roles)) or "no role"

    @property
    def navigation(self) -> Navigation:
        """The pages this account may open."""
        return navigation_of(self.caller)

    def may(self, permission: str) -> bool:
        """Tell whether the account may do something."""
        return self.caller.may(Permission(permission))


async def show(
    request: Asked, template: str, tab: str, read: Reader, *, status: int = 200, home: str = ""
) -> Response[str]:
    """Answer with a page; everything on it comes from one consistent reading.

    `home` is where the page can be loaded again, where the request's own address only takes forms.
    """
    web, caller = web_of(request), await signed_in(request)
    now = web.now
    async with web.services.database.read() as tx:
        values = await read(tx)
        page = Page(
            tab=tab,
            path=home or request.url.path,
            url=home or request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            site_name=web.services.settings.site_name,
            theme=theme_of(request),
            caller=caller,
            sources=await read_sources(tx, web.services, now),
            demo=web.runtime.demo_time is not None,
            done=DONE.get(request.query_params.get("done", "")),
            query=request.query_params.get("q", "")[:120],
        )
    return html(
        render(template, {"page": page, "t": SiteTime(web.services.settings.zone, now), **values}),
        status=status,
    )


async def signed_in(request: Asked) -> Principal:
    """Return who looks. Pages are for people: a token gets the API.

    Raises:
        NotSignedIn: nobody, or a token.
    """
    caller = await find_caller(request)
    if caller is None or caller.kind != "session":
        raise NotSignedIn
    return caller


async def form_of(request: Asked) -> dict[str, str]:
    """Return a form's fields; what is not text is left out."""
    form = await request.form()
    return {name: value.strip() for name, value in form.items() if isinstance(value, str)}


def go(path: str, *, done: str | None = None) -> Redirect:
    """Send the browser on after a form, so that loading again repeats nothing."""
    return Redirect(path + (f"?{urlencode({'done': done})}" if done else ""), status_code=303)


def local(path: str | None) -> str:
    """Return a path of ours, and the first page for anything that might lead elsewhere."""
    if (
        not path
        or not path.startswith("/")
        or path.startswith("//")
        or "\\" in path
        or not path.isprintable()
    ):
        return "/"
    return path


def theme_of(request: Asked) -> str:
    """Return the colours somebody chose."""
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


def bare(request: Asked, template: str, values: Mapping[str, Any], *, status: int = 200) -> Response[str]:
    """Answer with a page without a frame: for people who are not signed in, and for errors."""
    web: Web = web_of(request)
    frame = {"site_name": web.services.settings.site_name, "theme": theme_of(request)}
    return html(render(template, {**frame, **values}), status=status)
