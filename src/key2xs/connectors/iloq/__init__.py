"""iLOQ 5 Series and S50 over the vendor's Public API v2."""

from .config import IloqConfig
from .connector import IloqConnector

__all__ = ["IloqConfig", "IloqConnector"]
