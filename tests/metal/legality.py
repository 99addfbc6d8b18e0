"""What Metal's compiler would refuse, found without it.

Clang parses kernels against the headers of the host Metal device in their checking mode, where `device`,
`constant`, `threadgroup` and `thread` are address spaces that cannot be converted into each other. What C++
allows and Metal does not is looked for in the tokens and in the syntax tree. The rules are those of the Metal
Shading Language Specification, version 3.1.

    python -m tests.metal.legality FILE_OR_FOLDER…     checks libraries, such as FTRANS_METAL_DUMP leaves
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from clang.cindex import (
    Cursor,
    CursorKind,
    Diagnostic,
    Index,
    StorageClass,
    TokenKind,
    TranslationUnit,
    Type,
    TypeKind,
    conf,
)

HEADERS = Path(__file__).parents[2] / "native" / "metal" / "host" / "include"
OPTIONS = [
    "-std=c++14",
    "-nostdinc",
    "--target=x86_64-unknown-linux-gnu",  # whatever the machine: sizes and types are as Metal's
    "-isystem",
    str(HEADERS),
    "-DFTRANS_METAL_CHECK",
    "-DFTRANS_STATIC=static",
    "-ferror-limit=0",
    "-Werror=c++17-extensions",
    "-Werror=c++20-extensions",
    "-Werror=vla-extension",
    "-Wno-unknown-attributes",
]

MOST_THREADGROUP_MEMORY = 32 * 1024
MOST_BINDINGS = 31
CONSTANT, THREADGROUP = 2, 3  # address spaces, as the headers number them

FORBIDDEN_WORDS = {
    "double": "double does not exist",
    "goto": "goto is not allowed",
    "virtual": "virtual functions are not allowed",
    "try": "exceptions are not allowed",
    "throw": "exceptions are not allowed",
    "catch": "exceptions are not allowed",
    "new": "new is not allowed",
    "delete": "delete is not allowed",
    "dynamic_cast": "run-time type information does not exist",
    "typeid": "run-time type information does not exist",
    "thread_local": "thread_local is not allowed",
    "asm": "assembly is not allowed",
}
ADDRESS_SPACES = {"device", "constant", "threadgroup", "thread"}
FUNCTIONS = {CursorKind.FUNCTION_DECL, CursorKind.FUNCTION_TEMPLATE, CursorKind.CXX_METHOD}
VARIABLES = {CursorKind.VAR_DECL, CursorKind.PARM_DECL, CursorKind.FIELD_DECL}
NAMED_TYPES = {CursorKind.TYPEDEF_DECL, CursorKind.TYPE_ALIAS_DECL}
POINTERS = {TypeKind.POINTER, TypeKind.LVALUEREFERENCE, TypeKind.RVALUEREFERENCE}

_THREADGROUP_LOCAL = re.compile(r"(?<=[;{}])(\s*)(threadgroup\s[^;{}()=*&]+)(?=;)")
_THREADGROUP_ATTRIBUTE = re.compile(r"(\[\[\s*threadgroup)\b")
_BINDING = re.compile(r"\[\[\s*(buffer|threadgroup)_?\s*\(\s*(\d+)\s*\)\s*\]\]")
_UNSUFFIXED = re.compile(r"(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?")


class Violation(NamedTuple):
    line: int
    reason: str


def violations(source: str) -> list[Violation]:
    """All that is wrong with a library, by line."""
    # A local variable with an address space must be static for Clang; FTRANS_STATIC tells it from others. The
    # attribute [[threadgroup]] is not the address space, which is a macro.
    text = _THREADGROUP_LOCAL.sub(r"\1FTRANS_STATIC \2", source)
    text = _THREADGROUP_ATTRIBUTE.sub(r"\1_", text)
    unit = Index.create().parse("kernels.cpp", OPTIONS, unsaved_files=[("kernels.cpp", text)])
    found = {Violation(d.location.line, d.spelling) for d in unit.diagnostics if _is_error(d)}
    found.update(_forbidden_tokens(unit))
    cursors = [cursor for cursor in _walk(unit.cursor) if _is_in_source(cursor)]
    for check in (_forbidden_constructs, _forbidden_variables, _recursion):
        found.update(check(cursors))
    found.update(_missing_address_spaces(cursors, text.encode()))
    for cursor in cursors:
        if _is_kernel(cursor):
            found.update(_forbidden_in_kernel(cursor, text.encode()))
    return sorted(found)


def _is_error(diagnostic: Diagnostic) -> bool:
    """Structures may be copied between address spaces in Metal; Clang's copy functions know one only."""
    if diagnostic.severity < Diagnostic.Error:
        return False
    notes = [note.spelling for note in diagnostic.children]
    copies = diagnostic.spelling.startswith(
        ("no viable overloaded '='", "no matching constructor for initialization")
    )
    return not (
        copies
        and any("(the implicit copy" in note for note in notes)
        and any("address space" in note for note in notes)
        and all("implicit" in note or "address space" in note for note in notes if "candidate" in note)
    )


def _walk(cursor: Cursor) -> Iterator[Cursor]:
    for child in cursor.get_children():
        if child.location.file is None or child.location.file.name == "kernels.cpp":
            yield child
            yield from _walk(child)


def _is_in_source(cursor: Cursor) -> bool:
    return cursor.location.file is not None and cursor.location.file.name == "kernels.cpp"


def _kind(kind: Type) -> TypeKind | None:
    """The kind of a type, but for some that the library has and its Python side does not, such as half."""
    try:
        return kind.kind
    except ValueError:
        return None


def _words(cursor: Cursor) -> list[str]:
    return [token.spelling for token in cursor.get_tokens()]


def _is_kernel(cursor: Cursor) -> bool:
    return cursor.kind in FUNCTIONS and any(
        child.kind == CursorKind.ANNOTATE_ATTR and child.spelling == "kernel"
        for child in cursor.get_children()
    )


def _forbidden_tokens(unit: TranslationUnit) -> Iterator[Violation]:
    previous = ""
    for token in unit.get_tokens(extent=unit.cursor.extent):
        line, word = token.location.line, token.spelling
        if token.kind == TokenKind.KEYWORD and word in FORBIDDEN_WORDS:
            yield Violation(line, FORBIDDEN_WORDS[word])
        if previous == word == "long":
            yield Violation(line, "long long does not exist")
        if token.kind == TokenKind.LITERAL and _UNSUFFIXED.fullmatch(word):
            yield Violation(line, f"{word} is a double: write {word}f")
        previous = word


def _forbidden_constructs(cursors: list[Cursor]) -> Iterator[Violation]:
    for cursor in cursors:
        line = cursor.location.line
        if cursor.kind == CursorKind.LAMBDA_EXPR:
            yield Violation(line, "lambda expressions are not allowed")
        if (
            cursor.kind in FUNCTIONS
            and _kind(cursor.type) == TypeKind.FUNCTIONPROTO
            and cursor.type.is_function_variadic()
        ):
            yield Violation(line, f"{cursor.spelling} takes any number of arguments, which is not allowed")


def _address_space(kind: Type) -> int:
    while _kind(kind) in (TypeKind.CONSTANTARRAY, TypeKind.INCOMPLETEARRAY, TypeKind.DEPENDENTSIZEDARRAY):
        kind = kind.element_type
    return kind.get_address_space()


def _forbidden_variables(cursors: list[Cursor]) -> Iterator[Violation]:
    for cursor in cursors:
        if cursor.kind != CursorKind.VAR_DECL:
            continue
        line, name, space = cursor.location.line, cursor.spelling, _address_space(cursor.type)
        function = cursor.semantic_parent if cursor.semantic_parent.kind in FUNCTIONS else None
        if function is None:
            if space != CONSTANT:
                yield Violation(line, f"{name} lives as long as the program and must be constant")
        elif space == THREADGROUP:
            if not _is_kernel(function):
                yield Violation(
                    line, f"{name} is in threadgroup memory, but {function.spelling} is not a kernel"
                )
        elif cursor.storage_class == StorageClass.STATIC:
            yield Violation(line, f"{name} is a static variable of a function")


def _missing_address_spaces(cursors: list[Cursor], text: bytes) -> Iterator[Violation]:
    for cursor in cursors:
        if text[: cursor.extent.start.offset].rstrip().endswith(b"thread"):
            continue  # the macro `thread` is empty, so that what it stands before begins behind it
        if cursor.kind in FUNCTIONS:
            kind, words = cursor.result_type, _words(cursor)
            words = words[: words.index(cursor.spelling)] if cursor.spelling in words else words
        elif cursor.kind in VARIABLES | NAMED_TYPES:
            words = _words(cursor)
            kind = cursor.underlying_typedef_type if cursor.kind in NAMED_TYPES else cursor.type
        elif cursor.kind.is_expression() and cursor.kind.name.endswith("_CAST_EXPR"):
            kind, words = cursor.type, _words(cursor)
        else:
            continue
        if _kind(kind) not in POINTERS or "auto" in words or ADDRESS_SPACES.intersection(words):
            continue
        if kind.get_pointee().get_address_space() == 0:
            what = cursor.spelling or "a pointer or reference"
            yield Violation(cursor.location.line, f"{what} needs an address space")


def _recursion(cursors: list[Cursor]) -> Iterator[Violation]:
    functions = {
        cursor.get_usr(): cursor for cursor in cursors if cursor.kind in FUNCTIONS and cursor.is_definition()
    }
    calls = {usr: set(_callees(function)) & functions.keys() for usr, function in functions.items()}
    for usr, function in functions.items():
        reached, new = set(), set(calls[usr])
        while new:
            reached |= new
            new = {callee for caller in new for callee in calls[caller]} - reached
        if usr in reached:
            yield Violation(function.location.line, f"{function.spelling} calls itself")


def _callees(function: Cursor) -> Iterator[str]:
    """Of calls that name template arguments nothing is known here: those end when the program is compiled."""
    for cursor in _walk(function):
        if cursor.kind != CursorKind.CALL_EXPR:
            continue
        if cursor.referenced is not None:
            generic = conf.lib.clang_getSpecializedCursorTemplate(cursor.referenced)
            yield cursor.referenced.get_usr() if generic is None else generic.get_usr()
            continue
        arity = len(list(cursor.get_arguments()))
        called = next(cursor.get_children(), None)
        if called is None or "<" in _words(called):
            continue
        for child in called.walk_preorder():
            if child.kind == CursorKind.OVERLOADED_DECL_REF:
                yield from (each.get_usr() for each in _overloads(child) if _parameter_count(each) == arity)


def _overloads(reference: Cursor) -> Iterator[Cursor]:
    for i in range(conf.lib.clang_getNumOverloadedDecls(reference)):
        yield conf.lib.clang_getOverloadedDecl(reference, i)


def _parameter_count(function: Cursor) -> int:
    return sum(child.kind == CursorKind.PARM_DECL for child in function.get_children())


def _forbidden_in_kernel(kernel: Cursor, text: bytes) -> Iterator[Violation]:
    line, name = kernel.location.line, kernel.spelling
    if _kind(kernel.result_type) != TypeKind.VOID:
        yield Violation(line, f"kernel {name} must return void")
    for parameter in kernel.get_arguments():
        if _kind(parameter.type) in POINTERS and parameter.type.get_pointee().get_address_space() == 0:
            yield Violation(
                line,
                f"{parameter.spelling} of kernel {name} must be in device, constant or threadgroup memory",
            )
    declaration = text[kernel.extent.start.offset : kernel.extent.end.offset].decode().partition("{")[0]
    yield from _forbidden_bindings(line, name, _BINDING.findall(declaration))
    size = sum(
        cursor.type.get_size()
        for cursor in _walk(kernel)
        if cursor.kind == CursorKind.VAR_DECL and _address_space(cursor.type) == THREADGROUP
    )
    if size > MOST_THREADGROUP_MEMORY:
        yield Violation(
            line,
            f"kernel {name} takes {size} bytes of threadgroup memory, more than {MOST_THREADGROUP_MEMORY}",
        )


def _forbidden_bindings(line: int, name: str, bindings: list[tuple[str, str]]) -> Iterator[Violation]:
    for kind, index in bindings:
        if int(index) >= MOST_BINDINGS:
            yield Violation(line, f"{kind}({index}) of kernel {name} is above {MOST_BINDINGS - 1}")
        if bindings.count((kind, index)) > 1:
            yield Violation(line, f"kernel {name} has more than one {kind}({index})")


def report(source: str, found: Iterable[Violation]) -> str:
    """The violations with the lines that they are about."""
    lines = source.splitlines()
    return "\n".join(
        f"{line}: {reason}\n    {lines[line - 1].strip() if line else ''}" for line, reason in found
    )


def main(arguments: list[str]) -> int:
    paths = [Path(argument) for argument in arguments]
    files = [file for path in paths for file in (sorted(path.glob("*.metal")) if path.is_dir() else [path])]
    if not files:
        print("nothing to check: no .metal files", file=sys.stderr)
        return 2
    illegal = 0
    for file in files:
        source = file.read_text()
        found = violations(source)
        illegal += bool(found)
        if found:
            print(f"{file}\n{report(source, found)}")
    print(f"{len(files)} libraries, {illegal} illegal")
    return 1 if illegal else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
