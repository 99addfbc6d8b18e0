"""Property × primitive × sample."""

import pytest

from tests.harness.cases import all_cases
from tests.harness.properties import PROPERTIES


@pytest.mark.parametrize("case", all_cases(), ids=str)
@pytest.mark.parametrize("name", PROPERTIES)
def test_property(name, case):
    PROPERTIES[name](case)
