"""Every test of the contract suite runs once for each make."""

import pytest

from tests.connectors.contract.harness import MAKES, Harness


@pytest.fixture(params=MAKES, ids=lambda make: make.name)
def vendor(request: pytest.FixtureRequest) -> Harness:
    """The vendor's world."""
    make: type[Harness] = request.param
    return make()
