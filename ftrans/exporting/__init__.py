"""Functions as files: what a function does, without its Python source.

The format, version 1, is a zip archive of uncompressed members, so that any tool can look into it.
``constants/0``, ``constants/1``, … are the bytes of closed-over arrays, row-major, little-endian.
``program.json`` is JSON:

- the program: ``{"format": "ftrans program", "version": 1, "name": …, "arguments": tree, "results": tree,
  "jaxprs": [jaxpr, …]}``; the last jaxpr is the function, and each may refer to earlier ones;
- a tree: ``"leaf"``, null, ``{"tuple": [tree, …]}``, ``{"list": [tree, …]}`` or
  ``{"dict": [[key, tree], …]}``;
- a type: ``[dtype, shape, weak]``;
- a jaxpr: ``{"constants": [[type, number of its member], …], "inputs": [type, …],
  "equations": [equation, …], "outputs": [atom, …]}``, whose variables are numbered in that order, the results
  of equations last;
- an atom: a variable's number, or ``{"type": type, "bytes": hexadecimal}``, a constant of one value;
- an equation: ``[primitive, {parameter: value, …}, [atom, …], [type of a result, …]]``;
- a value: null, a truth value, an integer, a text, or one of ``{"float": text}``, ``{"tuple": [value, …]}``,
  ``{"dtype": name}``, ``{"jaxpr": number}``, ``{"policy": name}`` of a checkpoint, ``{"jvp rules": {…}}`` and
  ``{"vjp rules": {…}}``, the rules of custom derivatives as jaxprs.

Nothing in a file is executed as code. Loading checks all of it: sizes, names, the types of parameters, and
each equation by the shape rule of its primitive.
"""

from .exported import Exported, export

__all__ = ["Exported", "export"]
