"""The site of the key desk: fobs that go from hand to hand."""

from tests.keys.desk.conftest import desk, prepared

__all__ = ["desk", "prepared"]
