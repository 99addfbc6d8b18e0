"""Every public array function on its sample calls: values, derivatives, `vmap`, `jit`."""

import pytest

from tests.harness.check_functions import FUNCTION_PROPERTIES, function_cases
from tests.harness.functions import CALLS, public_functions


def test_every_function_has_sample_calls():
    assert set(public_functions()) == set(CALLS)


@pytest.mark.parametrize("case", function_cases(), ids=str)
@pytest.mark.parametrize("title", FUNCTION_PROPERTIES)
def test_property(title, case):
    FUNCTION_PROPERTIES[title](case)
