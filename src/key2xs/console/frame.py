"""What is around every page: who looks, the tabs, the age of the data, the time."""

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
from .times import SiteTime
from .views.sources import Sources, read_sources
from .words import ROLES, named

Asked = Request[Any, Any, Any]
Reader = Callable[[Connection], Awaitable[Mapping[str, Any]]]

THEME_COOKIE: Final = "key2xs-theme"
THEMES: Final = ("auto", "light", "dark")

# What a page says after an act. Fixed sentences: nothing that comes in an address is ever shown as ours.
DONE: Final[Mapping[str, str]] = {
    "approved": "Approved. Access begins as soon as everything else is in order.",
    "asked": "Asked. Somebody else decides; it stands below until then.",
    "blocked": "The key is blocked here, and the key system is being told. Below: until when it could still open.",
    "confirmed": "Confirmed and done. The page of a key says until when it could still open.",
    "handed-out": "Handed out. Access that its new holder has is being written to it.",
    "more-needed": "Approved. One more person has to approve.",
    "password": "Your new password is set.",
    "refused": "Refused.",
    "rules": "The rules are in force. Everything that was given is being decided again.",
    "taken-back": "Taken back. Everything on it is being removed.",
    "withdrawn": "Taken back. Nothing was changed.",
}


@dataclass(frozen=True, slots=True)
class Tab:
    """One entry of the navigation."""

    name: str
    href: str
    label: str
    icon: str
    permission: Permission


TABS: Final = (
    Tab("now", "/", "Now", "now", Permission.SYSTEM_STATUS_READ),
    Tab("permits", "/permits", "Permits", "permit", Permission.WORK_PERMIT_READ),
    Tab("keys", "/keys", "Keys", "key", Permission.KEYS_KEY_READ),
    Tab("points", "/access-points", "Access points", "door", Permission.PLANT_CYLINDER_READ),
    Tab("requests", "/requests", "Requests", "ask", Permission.GRANTS_LEASE_READ),
)


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
    def tabs(self) -> list[Tab]:
        """The pages this account may see."""
        return [tab for tab in TABS if self.caller.may(tab.permission)]

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
