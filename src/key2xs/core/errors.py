"""The error tree.

    Key2XSError
    ├── InvalidInput          a field of a record is wrong; names both
    ├── NotFound              no such thing, or not for you
    ├── Conflict              it changed meanwhile, or it is already so
    ├── NotAllowed            the person may not do this
    ├── UnsafeSettings        refused to start
    ├── NarrowOnly            the log is behind its own checkpoint: nothing may widen
    ├── LedgerError           an entry, leaf, proof or checkpoint is not what it must be
    └── CallFailed            a call to a key system; classed by what the caller does next
        ├── Retry             try again after a while; nothing changed
        ├── NeedsPerson       a person must act first
        ├── Refused           the other side said no, for good
        └── Unknown           we cannot tell whether it changed: read before acting

Messages carry ids, never personal data.
"""

from datetime import timedelta


class Key2XSError(Exception):
    """Something Key2XS can explain went wrong."""

    def __init__(self, message: str | None = None) -> None:
        """Use the class's docstring as the message where none is given."""
        super().__init__(message or (self.__doc__ or type(self).__name__).strip())


class InvalidInput(Key2XSError):
    """A field of a record is not acceptable."""

    def __init__(self, field: str, problem: str, *, record: str | None = None) -> None:
        """Name the field, what is wrong with it, and the record it stands in."""
        self.field, self.problem, self.record = field, problem, record
        where = f"{record}: " if record else ""
        super().__init__(f"{where}{field}: {problem}")


class NotFound(Key2XSError):
    """There is no such thing."""


class Conflict(Key2XSError):
    """It changed meanwhile, or it is already so."""


class NotAllowed(Key2XSError):
    """You may not do this."""


class UnsafeSettings(Key2XSError):
    """The settings are not safe for production."""


class NarrowOnly(Key2XSError):
    """The log is behind its own published checkpoint: only narrowing is allowed."""


class LedgerError(Key2XSError):
    """An entry, leaf, proof or checkpoint is not what it must be."""


class CallFailed(Key2XSError):
    """A call to a key system did not give a clean answer."""


class Retry(CallFailed):
    """Nothing changed over there; try again after a while."""

    def __init__(self, after: timedelta, why: str = "the other side is busy") -> None:
        """Say how long to wait at least, and why."""
        self.after, self.why = after, why
        super().__init__(f"{why}; try again in {after.total_seconds():g} s")


class NeedsPerson(CallFailed):
    """A person must act before this can go on."""

    def __init__(self, who: str, what: str) -> None:
        """Say who must do what."""
        self.who, self.what = who, what
        super().__init__(f"{who}: {what}")


class Refused(CallFailed):
    """The other side said no, and asking again will not help."""

    def __init__(self, reason: str) -> None:
        """Carry the other side's reason."""
        self.reason = reason
        super().__init__(reason)


class Unknown(CallFailed):
    """We cannot tell whether anything changed over there."""

    def __init__(self, what: str) -> None:
        """Say which call has no known outcome."""
        self.what = what
        super().__init__(f"no known outcome: {what}")
