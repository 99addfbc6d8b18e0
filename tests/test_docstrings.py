"""The examples in the docstrings, and in the guide, run and print what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import ftrans as ft

MODULES = [
    module.name for module in pkgutil.walk_packages(ft.__path__, "ftrans.") if "__main__" not in module.name
]


def _examples():
    for name in MODULES:
        module = importlib.import_module(name)
        for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs={"ft": ft, "np": np}):
            if test.examples:
                yield pytest.param(test, id=test.name.removeprefix("ftrans."))


GUIDE = Path(__file__).parent.parent / "docs" / "transformations.md"


def test_guide():
    failed, attempted = doctest.testfile(str(GUIDE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert failed == 0
    assert attempted > 30


@pytest.mark.parametrize("test", list(_examples()))
def test_example(test):
    report = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert not report, "".join(report)
