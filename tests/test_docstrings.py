"""The examples in the docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

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


@pytest.mark.parametrize("test", list(_examples()))
def test_example(test):
    report = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert not report, "".join(report)
