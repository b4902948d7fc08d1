"""CLIQ over a simulated interface: the vendor's own integration interface is not public."""

from .config import CliqConfig
from .connector import CliqConnector

__all__ = ["CliqConfig", "CliqConnector"]
