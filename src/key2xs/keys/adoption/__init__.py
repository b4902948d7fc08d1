"""Taking over an existing site: what is there, what keys keep from before, and how far the site has come.

A key that was not adopted is never written. An adopted key keeps its standing rights in security zones that are not
enforced; switching a zone to *enforce* ends those that lie in it, and what was ended is not taken up again.
"""
