"""The digital twin: a simulated site with real wire formats and honest devices.

It is the oracle of the tests and the plant of the demo, so it shares no line with the product: ``key2xs``
never imports this package and this package never imports ``key2xs``. What the twin believes about vendors
comes from their documents; what is a guess is a setting of :class:`key2xs_twin.world.Physics`.
"""
