"""A setting that must not be seen."""


class Secret:
    """A value that does not print."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Hide `value`; `reveal()` is the only way back."""
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        """Show that there is one, never what it is."""
        return "Secret(...)" if self._value else "Secret(empty)"

    def __bool__(self) -> bool:
        """Tell whether it is set."""
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """Compare values; only for tests and settings equality, never for authentication."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(self._value)
