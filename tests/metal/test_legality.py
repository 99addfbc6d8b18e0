"""Kernels are MSL that Metal's compiler would take, as far as that can be known without it."""

from pathlib import Path

import pytest

from tests.metal.legality import main, report, violations
from tests.metal.library import METAL, PREAMBLE, library, library_parts


def kernel(body: str = "", parameters: str = "device float* out [[buffer(0)]]", before: str = "") -> str:
    """A library of one kernel, whose body begins in line 3 + the lines of `before`."""
    return f"{PREAMBLE}{before}kernel void f({parameters}) {{ {body} }}\n"


GOOD = {
    "arithmetic": kernel(
        "out[0] = exp(2.0f) + float(half(0.5h)) + float(bfloat(1.0f)) + as_type<float>(7u);"
    ),
    "vectors": kernel(
        "float2 x = pairs[1]; out[i] = dot(x, float2(1.0f, x.y)); pairs[0] = x * 2.0f + pairs[2];",
        "device float* out [[buffer(0)]], device float2* pairs [[buffer(1)]],\n"
        "uint i [[thread_position_in_grid]]",
    ),
    "threadgroup memory": kernel(
        "threadgroup float a[64]; threadgroup float2 b[4];\n a[i] = out[i]; b[i % 4] = float2(a[i]);\n"
        "threadgroup_barrier(mem_flags::mem_threadgroup); out[i] = a[63 - i] + scratch[i] + b[0].x;",
        "device float* out [[buffer(0)]], threadgroup float* scratch [[threadgroup(0)]], "
        "uint i [[thread_index_in_threadgroup]]",
    ),
    "address spaces of arguments": kernel(
        "float x = 1.0f; add(x, layout); out[0] = x;",
        "device float* out [[buffer(0)]], constant Layout& layout [[buffer(30)]]",
        "struct Layout { float size; };\n"
        "inline void add(thread float& x, constant Layout& by) { x += by.size; }\n",
    ),
    "structures are copied": kernel(
        "threadgroup Pair shared[8]; Pair x = pairs[1]; pairs[0] = x; shared[0] = pairs[2]; x = shared[0];",
        "device Pair* pairs [[buffer(0)]]",
        "struct Pair { float value; int place; };\n",
    ),
    "constant tables": kernel("out[0] = table[1];", before="constant float table[] = {1.0f, 2.0f};\n"),
    "atomics": kernel(
        "atomic_fetch_add_explicit(count, 1u, memory_order_relaxed);\n"
        "atomic_fetch_add_explicit(sum, 0.5f, memory_order_relaxed);",
        "device atomic_uint* count [[buffer(0)]], device atomic_float* sum [[buffer(1)]]",
    ),
    "matrices": kernel(
        "threadgroup float tile[64]; simdgroup_float8x8 a, sum(0.0f);\n"
        "simdgroup_load(a, out, 8); simdgroup_multiply_accumulate(sum, a, a, sum);\n"
        "simdgroup_store(sum, tile, 8);"
    ),
    "templates end": kernel(
        "out[0] = power<3>(out[1]);",
        before="template <int n> inline float power(float x) { return x * power<n - 1>(x); }\n"
        "template <> inline float power<0>(float) { return 1.0f; }\n",
    ),
    "overloads call each other": kernel(
        "out[0] = twice(3);",
        before="inline float twice(float x) { return 2.0f * x; }\n"
        "inline float twice(int x) { return twice(float(x)); }\n",
    ),
}

BAD = {
    "double": (kernel("double x = out[0]; out[0] = x;"), "double does not exist"),
    "long double": (kernel("long double x = 1; out[0] = x;"), "double does not exist"),
    "literal": (kernel("out[0] = out[0] * 2.0;"), "2.0 is a double: write 2.0f"),
    "long long": (kernel("long long x = 1; out[0] = x;"), "long long does not exist"),
    "recursion": (
        kernel("out[0] = g(3);", before="inline int g(int n) { return n ? g(n - 1) : 0; }\n"),
        "g calls itself",
    ),
    "mutual recursion": (
        kernel(
            "out[0] = g(3);",
            before="int h(int n);\nint g(int n) { return h(n); }\nint h(int n) { return g(n - 1); }\n",
        ),
        "h calls itself",
    ),
    "recursion of a template": (
        kernel("out[0] = g(3);", before="template <class T>\ninline T g(T n) { return n ? g(n - 1) : 0; }\n"),
        "g calls itself",
    ),
    "virtual": (kernel(before="struct S { virtual void g() {} };\n"), "virtual functions are not allowed"),
    "exceptions": (kernel("throw 1;"), "exceptions are not allowed"),
    "catching": (kernel("try { out[0] = 1; } catch (...) {}"), "exceptions are not allowed"),
    "static of a function": (
        kernel("static int count = 0; out[0] = ++count;"),
        "count is a static variable of a function",
    ),
    "pointer": (kernel("float x; float* p = &x; *p = 1;"), "p needs an address space"),
    "reference": (kernel(before="inline void g(float& x) { x = 1.0f; }\n"), "x needs an address space"),
    "pointer result": (
        kernel(before="template <class T> inline T* g(T x) { return 0; }\n"),
        "g needs an address space",
    ),
    "pointer field": (kernel(before="struct S { int* p; };\n"), "p needs an address space"),
    "pointer cast": (kernel("out[0] = *(float*)(0ul);"), "needs an address space"),
    "device to thread": (
        kernel("thread float* p = out; *p = 1;"),
        "cannot initialize a variable of type 'float *'",
    ),
    "device to threadgroup": (
        kernel("g(out);", before="inline void g(threadgroup float* p) { *p = 1.0f; }\n"),
        "no matching function for call to 'g'",
    ),
    "constant is constant": (
        kernel(
            "device float* p = layout; out[0] = *p;",
            "device float* out [[buffer(0)]], constant float* layout [[buffer(1)]]",
        ),
        "cannot initialize a variable of type",
    ),
    "mixed pointers": (
        kernel(
            "threadgroup float a[4]; out[0] = *(i ? out : a);",
            "device float* out [[buffer(0)]], uint i [[thread_position_in_grid]]",
        ),
        "incompatible operand types",
    ),
    "too much threadgroup memory": (
        kernel("threadgroup float a[8192];\n threadgroup float b;\n a[0] = 1; b = a[0]; out[0] = b;"),
        "takes 32772 bytes of threadgroup memory",
    ),
    "threadgroup memory of a function": (
        kernel(before="inline void g() {\n threadgroup float a[4];\n a[0] = 1.0f; }\n"),
        "a is in threadgroup memory, but g is not a kernel",
    ),
    "buffer index": (
        kernel(parameters="device float* out [[buffer(31)]]"),
        "buffer(31) of kernel f is above 30",
    ),
    "buffer twice": (
        kernel(parameters="device float* a [[buffer(2)]], device float* b [[buffer(2)]]"),
        "more than one buffer(2)",
    ),
    "thread parameter": (
        kernel(parameters="thread float* a [[buffer(0)]]"),
        "a of kernel f must be in device, constant or threadgroup memory",
    ),
    "kernel result": (
        PREAMBLE + "kernel int f(device int* a [[buffer(0)]]) { return a[0]; }\n",
        "kernel f must return void",
    ),
    "goto": (kernel("again: if (out[0] > 1) goto again;"), "goto is not allowed"),
    "lambda": (
        kernel("auto g = [](int x) { return x; }; out[0] = g(1);"),
        "lambda expressions are not allowed",
    ),
    "new": (kernel("auto p = new int; out[0] = *p;"), "new is not allowed"),
    "delete": (kernel("delete out;"), "delete is not allowed"),
    "variable of the program": (kernel(before="int counter = 0;\n"), "counter lives as long as the program"),
    "variadic": (kernel(before="int g(int n, ...);\n"), "g takes any number of arguments"),
    "thread_local": (kernel(before="thread_local int n;\n"), "thread_local is not allowed"),
    "C++17": (kernel("if constexpr (true) out[0] = 1;"), "constexpr if is a C++17 extension"),
    "another header": ("#include <vector>\n" + kernel(), "'vector' file not found"),
    "function that Metal lacks": (kernel("out[0] = erf(1.0f);"), "undeclared identifier 'erf'"),
    "float atomics in a threadgroup": (
        kernel("threadgroup atomic_float a;\n atomic_fetch_add_explicit(&a, 1.0f, memory_order_relaxed);"),
        "no matching function for call to 'atomic_fetch_add_explicit'",
    ),
    "atomic maximum of floats": (
        kernel(
            "atomic_fetch_max_explicit(a, 1.0f, memory_order_relaxed);",
            "device atomic_float* a [[buffer(0)]]",
        ),
        "no matching function for call to 'atomic_fetch_max_explicit'",
    ),
    "64-bit exchange": (
        kernel("a[0] = simd_shuffle_xor(a[0], 1);", "device long* a [[buffer(0)]]"),
        "SIMD-groups exchange numbers of up to 32 bits",
    ),
    "vector of too few": (
        kernel("out[0] = float4(1.0f, 2.0f).x;"),
        "a vector from another number of elements",
    ),
}


@pytest.mark.parametrize("source", GOOD.values(), ids=GOOD)
def test_good_kernels(source: str) -> None:
    assert violations(source) == []


@pytest.mark.parametrize(("source", "reason"), BAD.values(), ids=BAD)
def test_bad_kernels(source: str, reason: str) -> None:
    found = violations(source)
    assert any(reason in violation.reason for violation in found), report(source, found)


def test_lines_are_those_of_the_source() -> None:
    source = kernel(before="\n\n/* é\n */ inline float g(float x) {\n  return x * 2.0;\n}\n")
    [violation] = violations(source)
    assert violation.line == source.splitlines().index("  return x * 2.0;") + 1
    assert report(source, [violation]).endswith("return x * 2.0;")


def test_kernels_are_legal() -> None:
    assert sorted(library_parts()) == sorted(path.name for path in (METAL / "kernels").iterdir())
    found = violations(library())
    assert found == [], report(library(), found)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.metal").write_text(GOOD["arithmetic"])
    assert main([str(tmp_path)]) == 0
    (tmp_path / "b.metal").write_text(BAD["double"][0])
    assert main([str(tmp_path)]) == 1
    assert "b.metal\n3: double does not exist" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 2
