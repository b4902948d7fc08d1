"""The console: pages for the people on shift, made on the server.

Every page works without scripts: links and forms. With scripts a page refreshes what changed, as soon as the log
grows. Names of people are not shown, only pseudonyms; `docs/how-to/use-the-console.md` is the manual.
"""

from .routes import console_routes

__all__ = ["console_routes"]
