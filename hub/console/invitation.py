"""The page behind an invitation link: what it is, and what to do with it.

The code is in the fragment of the address, which the browser keeps to itself; so this page is
the same for everybody and knows nothing.
"""

from __future__ import annotations

from html import escape
from typing import Final

from aiohttp import web

from hub.i18n import LANGUAGES, reading_in
from hub.i18n import gettext as _

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def add_routes(app: web.Application, account_name: str) -> None:
    """Serve the page at `/i`."""

    async def page(request: web.Request) -> web.Response:
        with reading_in(_language(request)):
            return web.Response(
                text=_page(account_name, _language(request)),
                content_type="text/html",
                headers=SECURITY_HEADERS,
            )

    app.router.add_get("/i", page)


def _language(request: web.Request) -> str:
    """The first language the browser asks for that we have."""
    for part in request.headers.get("accept-language", "")[:200].split(","):
        code = part.strip()[:2].lower()
        if code in LANGUAGES:
            return code
    return "en"


def _page(account_name: str, language: str) -> str:
    title = _("Invitation of {name}").format(name=account_name)
    told = _("{name} invites you to exchange tickets between your hubs.").format(name=account_name)
    how = _("Copy the whole address of this page, with everything behind the #, and give it to:")
    keep = _("Whoever has this address can link with {name}: pass it on to nobody.").format(
        name=account_name
    )
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><h1>{escape(title)}</h1>"
        f"<p>{escape(told)}</p><p>{escape(how)}</p>"
        f"<pre>hub link accept ADDRESS</pre><p>{escape(keep)}</p></html>"
    )
