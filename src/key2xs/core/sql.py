"""Named SQL: each room keeps its statements in `queries.sql` beside its code.

A statement starts with `-- name: find_permit`, then comment lines that say what it is for, then the SQL. Names
are looked up by attribute-like keys, and a missing one fails when the module is imported, not at 02:00.
"""

from functools import cache
from importlib.resources import files
from re import MULTILINE, compile as re_compile

_HEADER = re_compile(r"^-- name: (?P<name>[a-z0-9_]+)\s*$", MULTILINE)


class Queries:
    """The statements of one file, by name."""

    def __init__(self, source: str, statements: dict[str, str]) -> None:
        """Hold the parsed statements; `source` is for error messages."""
        self._source, self._statements = source, statements

    def __getitem__(self, name: str) -> str:
        """Return one statement.

        Raises:
            KeyError: no statement of this name in the file.
        """
        try:
            return self._statements[name]
        except KeyError:
            message = f"{self._source} has no statement named {name}"
            raise KeyError(message) from None

    def names(self) -> tuple[str, ...]:
        """Return all names, in file order."""
        return tuple(self._statements)


@cache
def load_queries(package: str, file_name: str = "queries.sql") -> Queries:
    """Read a room's named SQL.

    Raises:
        ValueError: a name stands twice, or text stands before the first name.
    """
    text = files(package).joinpath(file_name).read_text(encoding="utf-8")
    return Queries(f"{package}/{file_name}", _parse(text, source=f"{package}/{file_name}"))


def _parse(text: str, *, source: str) -> dict[str, str]:
    headers = list(_HEADER.finditer(text))
    statements: dict[str, str] = {}
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        name = header["name"]
        if name in statements:
            message = f"{source}: two statements are named {name}"
            raise ValueError(message)
        end = following.start() if following else len(text)
        # The name stays in front: it shows up in pg_stat_activity and in the server's log.
        statements[name] = f"-- {name}\n{text[header.end() : end].strip()}"
    return statements
