"""Grants: leases that follow their basis, held no longer than policy allows and ended for good."""
