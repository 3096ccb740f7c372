"""The shipped catalogue, once."""

import pytest

from picdeed.core.resources import bundled
from picdeed.rights.catalogue import Catalogue, load_catalogue


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(bundled("configs"))
