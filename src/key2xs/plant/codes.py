"""Codes: opaque strings, with a second form that only serves to find them again.

SAP pads numbers with zeros in one place and not in another, and people type in either case. So a look-up first
asks for the exact code and then, if there is none, for the one code whose second form is the same.
"""


def normalise(code: str) -> str:
    """Return the form to compare by: case folded, no leading zeros, no outer blanks."""
    folded = code.strip().casefold()
    return folded.lstrip("0") or folded[-1:]
