"""The zip archive that an exported program is kept in."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any

PROGRAM = "program.json"


def write_archive(program: dict[str, Any], constants: Sequence[bytes]) -> bytes:
    """The archive of a program and the bytes of its constants. Equal ones give equal archives."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(PROGRAM), json.dumps(program, separators=(",", ":")))
        for number, data in enumerate(constants):
            archive.writestr(zipfile.ZipInfo(f"constants/{number}"), data)
    return buffer.getvalue()


def read_archive(data: bytes) -> tuple[Any, list[bytes]]:
    """What `write_archive` was given, as far as JSON tells.

    Raises:
        ValueError: it is not such an archive: damaged, compressed (so that sizes are what they seem), or
            with other members.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        expected = [PROGRAM, *(f"constants/{i}" for i in range(len(members) - 1))]
        if [m.filename for m in members] != expected:
            raise ValueError("its members are not those of an exported program")
        if any(m.compress_type != zipfile.ZIP_STORED or m.flag_bits & 1 for m in members):
            raise ValueError("a member is compressed or encrypted")
        if sum(m.file_size for m in members) > len(data):
            raise ValueError("its members claim to be larger than the file")
        text, *constants = [archive.read(m) for m in members]  # checks each one's CRC
    return json.loads(text), constants
