"""What every act is: plain data with a tag."""

from __future__ import annotations

import msgspec


class Deed(msgspec.Struct, frozen=True, tag_field="act", forbid_unknown_fields=True, kw_only=True):
    """Something somebody does. Things are named by what is printed on them, or by their vendor id."""
