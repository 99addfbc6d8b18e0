"""Damaged and hostile files: always a ValueError, or a function that is as safe as any other."""

import contextlib
import copy
import io
import random
import zipfile

import numpy as np
import pytest

import ftrans as ft
from ftrans.core.call import ControlFlowPrimitive
from ftrans.exporting import archive
from tests.exporting.test_export import NOT_WRITTEN
from tests.harness.cases import all_cases

V = np.array([0.4, -0.7, 1.3])


def f(x):
    y = ft.jit(lambda z: ft.sin(z) + V)(x)
    return {"a": ft.sum(y[::2] * 2.0), "b": y[np.array([0, 2])]}


DATA = ft.export(f)(V).serialize()
PROGRAM, CONSTANTS = archive.read_archive(DATA)


def refused(data, match="export: not an exported function, or damaged"):
    with pytest.raises(ValueError, match=match):
        ft.export.deserialize(data)


def rewritten(change, constants=CONSTANTS):
    program = copy.deepcopy(PROGRAM)
    change(program)
    return archive.write_archive(program, constants)


def test_truncations():
    for length in range(0, len(DATA), 7):
        refused(DATA[:length])


def test_bit_flips():
    """A flip is found by the checks of the archive, or is in what means nothing (a date, say)."""
    expected = ft.export.deserialize(DATA).as_text()
    chooser = random.Random(0)
    for _ in range(400):
        damaged = bytearray(DATA)
        damaged[chooser.randrange(len(DATA))] ^= 1 << chooser.randrange(8)
        try:
            loaded = ft.export.deserialize(bytes(damaged))
        except ValueError:
            continue
        assert loaded.as_text() == expected
        assert np.array_equal(np.asarray(loaded(V)["b"]), np.asarray(ft.export.deserialize(DATA)(V)["b"]))


def places(tree, path=()):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


REPLACEMENTS = [
    None, True, -1, 0, 1, 2, 7, 2**31, 2**40, 2**63, -(2**63), 10**30, 0.5, "", "sin", "gather", "float64",
    "ff", [], {}, [[]], {"tuple": []}, {"dtype": "int32"}, {"jaxpr": 0}, {"jaxpr": 99}, {"float": "nan"},
    {"float": 1},
]  # fmt: skip


def test_structured_damage():
    """Whatever one place of the program is replaced with: refused, or it runs without harm."""
    written = [c for c in all_cases() if c.operands and c.primitive.name not in NOT_WRITTEN]
    cases = random.Random(1).sample(written, 40)
    chooser = random.Random(2)
    survived = 0
    for case in cases:
        exported = ft.export(lambda *xs, case=case: tuple(case.bind(*map(ft.asarray, xs))))(*case.operands)
        program, constants = archive.read_archive(exported.serialize())
        for _ in range(40):
            damaged = copy.deepcopy(program)
            *path, last = chooser.choice(list(places(damaged)))
            at = damaged
            for key in path:
                at = at[key]
            at[last] = copy.deepcopy(chooser.choice(REPLACEMENTS))
            try:
                loaded = ft.export.deserialize(archive.write_archive(damaged, constants))
            except ValueError:
                continue
            survived += 1
            equations = loaded.jaxpr.jaxpr.equations
            if isinstance(case.primitive, ControlFlowPrimitive):
                continue  # a loop that does no harm may yet never end
            avals = [*loaded.jaxpr.in_avals, *(v.aval for e in equations for v in e.outputs)]
            if sum(a.size for a in avals) < 10**6:
                pairs = zip(loaded.jaxpr.in_avals, case.operands, strict=False)
                given = [np.ones(a.shape, x.dtype) for a, x in pairs]
                with contextlib.suppress(TypeError):  # their types may be what was changed
                    ft.eval(loaded(*given))
    assert survived > 0


def equation(program, primitive):
    return next(e for j in program["jaxprs"] for e in j["equations"] if e[0] == primitive)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda p: p.update(format="other"), "does not say that it is one"),
        (lambda p: p.update(version=2), "version 2 of the format, this ftrans reads version 1"),
        (lambda p: p.update(jaxprs=[]), "it has no jaxpr"),
        (lambda p: p.update(arguments="leaf"), "not positional ones and keywords"),
        (lambda p: p.update(results={"tuple": ["leaf"]}), "other numbers of arrays"),
        (lambda p: equation(p, "sin").__setitem__(0, "__import__"), "no primitive '__import__'"),
        (lambda p: equation(p, "sin").__setitem__(0, "psum"), "stands outside of its vmap"),
        (lambda p: equation(p, "sin").__setitem__(0, "add"), "expected 2 operands, got 1"),
        (lambda p: equation(p, "sin").__setitem__(2, [99]), "variable 99 is not defined"),
        (lambda p: equation(p, "sin").__setitem__(3, [["float64", [4], False]]), "the results are"),
        (lambda p: equation(p, "sin").__setitem__(1, {"axis": 0}), r"the parameters of sin are not \[\]"),
        (lambda p: equation(p, "jit")[1].update(jaxpr={"jaxpr": 1}), "jaxpr 1 does not come earlier"),
        (lambda p: p["jaxprs"][0]["inputs"].__setitem__(0, ["float32", [3], False]), "ill-formed|has arrays"),
        (lambda p: equation(p, "gather")[1].update(mode=9), "mode"),
        (lambda p: equation(p, "gather")[1].update(mode="1"), "the parameter mode of gather cannot be '1'"),
        (lambda p: equation(p, "gather")[1].update(mode=2**70), "too large"),
    ],
)
def test_particular_lies(change, problem):
    refused(rewritten(change), problem)


def test_constants_are_checked():
    refused(rewritten(lambda p: None, [CONSTANTS[0][:-1], *CONSTANTS[1:]]), "bytes do not make an array")
    refused(rewritten(lambda p: None, []), "is missing")
    truth = ft.export(lambda x: ft.where(ft.array(np.array([True, False])), x, 0.0))(np.float32(1))
    program, constants = archive.read_archive(truth.serialize())
    refused(archive.write_archive(program, [b"\x02" * len(c) for c in constants]), "neither 0 nor 1")


def test_promises_are_not_believed():
    exported = ft.export(lambda x, i: x[i])(V, np.array([0], np.int32))
    program, constants = archive.read_archive(exported.serialize())
    equation(program, "gather")[1]["mode"] = 2
    loaded = ft.export.deserialize(archive.write_archive(program, constants))
    assert np.asarray(loaded(V, np.array([10**6], np.int32))).tolist() == [1.3]


def test_bombs():
    """Compression, and jaxprs that refer to each other twice at every level."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("program.json", " " * 10**6)
    refused(buffer.getvalue(), "compressed or encrypted")
    real = ["float64", [], False]

    def call(number, x):
        return ["jit", {"jaxpr": {"jaxpr": number}, "name": "f"}, [x], [real]]

    def doubling(program):
        leaf = {"constants": [], "inputs": [real], "equations": [["sin", {}, [0], [real]]], "outputs": [1]}
        levels = [
            {"constants": [], "inputs": [real], "equations": [call(i, 0), call(i, 1)], "outputs": [2]}
            for i in range(40)
        ]
        program["jaxprs"] = [leaf, *levels]

    refused(rewritten(doubling), "too many equations")

    def deep(program):
        program["results"] = "DEEP"

    nested = b'{"list":[' * 10**5 + b'"leaf"' + b"]}" * 10**5
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bomb, zipfile.ZipFile(io.BytesIO(rewritten(deep))) as honest:
        for name in honest.namelist():
            bomb.writestr(name, honest.read(name).replace(b'"DEEP"', nested))
    refused(buffer.getvalue(), "recursion")
