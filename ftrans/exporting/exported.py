"""export: a traced function, kept in a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .._native import user_function
from ..core.avals import ShapedArray
from ..core.jaxpr import ClosedJaxpr
from ..core.pytree import flatten, unflatten
from ..core.source import function_name
from ..transforms.arguments import argument_arrays, check_callable
from ..transforms.jit import jit
from ..transforms.named_arguments import NamedArguments
from ..transforms.traced_function import jit_p
from .archive import read_archive, write_archive
from .decode import Decoder, decode_tree
from .encode import LEAF, Encoder, encode_tree

if TYPE_CHECKING:
    from optree import PyTreeSpec

FORMAT = "ftrans program"
VERSION = 1


class Exported:
    """A function that was traced, and needs its Python source no more: what ``export(f)(*args)`` returns.

    It is called with arguments of the types that it was traced for, and may be transformed like any function.

    >>> exported = ft.export(lambda x: {"y": ft.sin(x) * 2})(ft.ones(3))
    >>> again = ft.export.deserialize(exported.serialize())
    >>> again(ft.zeros(3))
    {'y': array([0, 0, 0], dtype=float32)}
    >>> ft.grad(lambda x: ft.sum(again(x)["y"]))(ft.zeros(3))
    array([2, 2, 2], dtype=float32)
    """

    def __init__(self, name: str, jaxpr: ClosedJaxpr, in_structure: PyTreeSpec, out_structure: PyTreeSpec):
        self.__name__ = name
        #: What was traced.
        self.jaxpr = jaxpr
        self._in_structure = in_structure
        self._out_structure = out_structure

    @property
    def in_avals(self) -> Any:
        """The avals of the arguments: a pair of the positional ones and those by keyword."""
        return unflatten(self._in_structure, self.jaxpr.in_avals)

    @property
    def out_avals(self) -> Any:
        """The tree of the results' avals."""
        return unflatten(self._out_structure, self.jaxpr.out_avals)

    @user_function
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function.

        Raises:
            TypeError: the arguments have another structure, shape or dtype than it was traced for.
        """
        leaves, structure = flatten((args, kwargs))
        if structure != self._in_structure:
            raise TypeError(
                f"{self.__name__} was exported for arguments of the structure {self._in_structure}, "
                f"got {structure}"
            )
        arrays = argument_arrays("exported function", self, leaves, structure)
        for i, (x, aval) in enumerate(zip(arrays, self.jaxpr.in_avals, strict=True)):
            if x.shape != aval.shape or x.dtype is not aval.dtype:
                raise TypeError(
                    f"{self.__name__} was exported for {_listed(self.jaxpr.in_avals)}, but leaf {i} of the "
                    f"arguments is {x.aval}; convert it, or export the function for it"
                )
        outs = jit_p.bind(*arrays, jaxpr=self.jaxpr, name=self.__name__)
        return unflatten(self._out_structure, outs)

    def as_text(self) -> str:
        """The jaxpr."""
        return str(self.jaxpr)

    def serialize(self) -> bytes:
        """The function as bytes, in the format that the docstring of `ftrans.exporting` describes.

        Raises:
            TypeError: something in it cannot be written down: containers that other processes may not know,
                or parameters of a primitive that are Python functions.
        """
        encoder = Encoder()
        encoder.jaxpr(self.jaxpr)
        program = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.__name__,
            "arguments": _encode_structure(self._in_structure, f"the arguments of {self.__name__}"),
            "results": _encode_structure(self._out_structure, f"the results of {self.__name__}"),
            "jaxprs": encoder.jaxprs,
        }
        return write_archive(program, encoder.constants)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the function to a file, from which `export.load` makes it again.

        Raises:
            TypeError: as `serialize`.
            OSError: the file cannot be written.
        """
        data = self.serialize()
        with open(path, "wb") as file:
            file.write(data)

    def __repr__(self) -> str:
        return f"<{self.__name__} exported for ({_listed(self.jaxpr.in_avals)})>"


def _listed(avals: Sequence[ShapedArray]) -> str:
    return ", ".join(map(str, avals))


def _encode_structure(structure: PyTreeSpec, what: str) -> Any:
    return encode_tree(unflatten(structure, [LEAF] * structure.num_leaves), what)


class _Export:
    """Trace a function so that it can be saved to a file, and run elsewhere without its Python source.

    ``export(fun)(*args, **kwargs)`` gives an `Exported` for arguments like these (anything with a shape and a
    dtype will do for an array). ``export.load(path)`` and ``export.deserialize(data)`` make it again, in any
    process that has ftrans. Custom derivatives are kept.

    Args:
        fun: a function of arrays or pytrees of arrays.
        static_argnums: positions of the arguments that are ordinary hashable Python values: they become part
            of what is exported, and are not arguments of it.
        static_argnames: names of such arguments.

    Raises:
        TypeError: `fun` is not a function; from the function returned: an argument is not an array, or `fun`
            closes over an array that an outer transformation traces.
        ConcretizationError: from the function returned: `fun` needs the value of a traced array.

    >>> power = ft.export(lambda x, n: x**n, static_argnums=1)(np.float32(1), 3)
    >>> power
    <<lambda> exported for (f32[])>
    >>> power(np.float32(2))
    array(8, dtype=float32)
    """

    def __call__(
        self,
        fun: Callable,
        static_argnums: int | Sequence[int] = (),
        static_argnames: str | Sequence[str] = (),
    ) -> Callable[..., Exported]:
        check_callable("export", fun)
        static = NamedArguments("export", "static", fun, static_argnums, static_argnames)

        def exported_for(*args: Any, **kwargs: Any) -> Exported:
            positions, names = static.chosen(args, kwargs)
            dynamic = [i for i in range(len(args)) if i not in positions]

            def function(*given: Any, **keywords: Any) -> Any:
                full = list(args)
                for i, x in zip(dynamic, given, strict=True):
                    full[i] = x
                return fun(*full, **{**kwargs, **keywords})

            lowered = jit(function, keep_unused=True).lower(
                *(args[i] for i in dynamic), **{name: x for name, x in kwargs.items() if name not in names}
            )
            return Exported(function_name(fun), lowered.jaxpr, lowered.in_structure, lowered.out_structure)

        return exported_for

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Exported:
        """The function that `Exported.save` wrote.

        Raises:
            ValueError: it is no such file, it is damaged, or a later version wrote it.
            OSError: the file cannot be read.
        """
        with open(path, "rb") as file:
            data = file.read()
        return _Export.deserialize(data)

    @staticmethod
    def deserialize(data: bytes) -> Exported:
        """The function that `Exported.serialize` wrote. Any bytes are safe to try.

        Raises:
            ValueError: these are no such bytes, they are damaged, or a later version wrote them.
        """
        try:
            return _decode(*read_archive(bytes(data)))
        except Exception as error:  # whatever reading arbitrary bytes may lead to
            raise ValueError(f"export: not an exported function, or damaged: {error}") from error


def _decode(program: Any, constants: list[bytes]) -> Exported:
    if not isinstance(program, dict) or program.get("format") != FORMAT:
        raise ValueError("it does not say that it is one")
    if program.get("version") != VERSION:
        raise ValueError(
            f"it has version {program.get('version')!r} of the format, this ftrans reads version {VERSION}"
        )
    name = program["name"]
    if not isinstance(name, str):
        raise ValueError("its name is not a text")
    closed = Decoder(program["jaxprs"], constants).function()
    arguments = decode_tree(program["arguments"], LEAF)
    if not (isinstance(arguments, tuple) and [type(x) for x in arguments] == [tuple, dict]):
        raise ValueError("its arguments are not positional ones and keywords")
    in_structure, out_structure = flatten(arguments)[1], flatten(decode_tree(program["results"], LEAF))[1]
    counts = len(closed.in_avals), len(closed.out_avals)
    if counts != (in_structure.num_leaves, out_structure.num_leaves):
        raise ValueError("its trees have other numbers of arrays than its program")
    return Exported(name, closed, in_structure, out_structure)


export = _Export()
