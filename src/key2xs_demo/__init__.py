"""One night shift, played from nothing: the product, the twin and a driver that steps domain time."""
