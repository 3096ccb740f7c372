"""One development identity and one signed picture of each format for all tests of this folder."""

from __future__ import annotations

import pytest
from credentials.forging import FORMATS, facts, picture

from picdeed.credentials.keys import make_development_identity
from picdeed.credentials.manifest import output_manifest
from picdeed.credentials.sign import sign
from picdeed.credentials.trust import Trust


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    make_development_identity(folder)
    return folder


@pytest.fixture(scope="session")
def identity(keys):
    return make_development_identity(keys)


@pytest.fixture(scope="session")
def trust(identity):
    return Trust(development_roots=(identity.root_pem,))


@pytest.fixture(scope="session")
def manifest():
    return output_manifest(facts())


@pytest.fixture(scope="session")
def signed(identity, manifest):
    """Media type -> signed bytes."""
    return {each: sign(picture(each), each, manifest, identity).data for each in FORMATS}
