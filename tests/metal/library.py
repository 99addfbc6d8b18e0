"""The functions of `native/metal/kernels` as one library: `python -m tests.metal.library` prints it."""

import re
from pathlib import Path

METAL = Path(__file__).parents[2] / "native" / "metal"
PREAMBLE = "#include <metal_stdlib>\nusing namespace metal;\n"


def library_parts() -> list[str]:
    """The files of `kernels`, in the order in which libraries have them."""
    text = re.sub(r"#.*", "", (METAL / "metal_sources.cmake").read_text())
    listed = re.search(r"foreach\(part\s([\w\s]+)\)", text)
    assert listed is not None
    return [f"{part.lower()}.metal" for part in listed.group(1).split()]


def library() -> str:
    return PREAMBLE + "".join((METAL / "kernels" / part).read_text() for part in library_parts())


if __name__ == "__main__":
    print(library())
