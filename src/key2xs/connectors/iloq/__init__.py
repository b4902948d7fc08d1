"""iLOQ 5 Series and S50 over the vendor's Public API v2."""

from .config import IloqConfig
from .connector import IloqConnector
from .webhooks import IloqWebhooks

__all__ = ["IloqConfig", "IloqConnector", "IloqWebhooks"]
