"""Errors as pages: what happened in one sentence, and what to do next."""

from typing import Final
from urllib.parse import quote

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from key2xs.api.clearing import SecondPersonNeeded
from key2xs.api.problems import NotSignedIn, Problem, on_error

from .frame import Asked, bare

_NEXT: Final = {
    400: "Go back, correct it, and send it again.",
    403: "If you need this for your work, ask the administrator of this site for another role. If you were about to "
    "send a form, load the page again first.",
    404: "Check the stamp or number. It may not have been imported or told to Key2XS yet.",
    405: "Go back and use the buttons of the page.",
    409: "Somebody else may have acted meanwhile. Go back and look at it as it is now.",
    429: "Wait a moment, then try once more.",
    503: "Try again in a minute. Keys in the field go on as they are, and end by themselves.",
}
_OTHERWISE: Final = (
    "Load the page again in a minute. If it stays, tell the administrator what you did and when; nothing was given "
    "to anybody because of this."
)


def page_for(request: Asked, error: Exception) -> Response[str] | Redirect:
    """Turn whatever a page raised into a page; somebody who is not signed in is sent to sign in."""
    if isinstance(error, NotSignedIn) or (isinstance(error, HTTPException) and error.status_code == 401):
        return _to_sign_in(request)
    if isinstance(error, SecondPersonNeeded) and error.proposal is not None:
        return Redirect("/requests?done=second-asked", status_code=303)
    problem = msgspec.json.decode(on_error(request, error).content, type=Problem)
    return bare(
        request,
        "error.html",
        {
            "title": problem.title,
            "detail": problem.detail if problem.status not in {404, 405, 500} or _is_ours(error) else "",
            "next_step": _NEXT.get(problem.status, _OTHERWISE),
        },
        status=problem.status,
    )


def wants_page(request: Asked) -> bool:
    """Tell whether a browser asks for a page, and not a program for the API."""
    path = request.scope["path"]
    for_programs = ("/api/", "/scim/", "/webhooks/", "/log/", "/openapi", "/healthz", "/static/")
    return "text/html" in request.headers.get("accept", "") and not path.startswith(for_programs)


def _to_sign_in(request: Asked) -> Response[str] | Redirect:
    here = request.url.path if request.method == "GET" and request.url.path not in {"/", "/pulse"} else ""
    target = "/sign-in" + (f"?next={quote(here)}" if here else "")
    if "hx-request" in request.headers:
        # A page that refreshes itself: send the whole window on, not a part of it.
        return Response("", status_code=401, headers={"HX-Redirect": target}, media_type="text/plain")
    return Redirect(target, status_code=303)


def _is_ours(error: Exception) -> bool:
    return not isinstance(error, HTTPException)
