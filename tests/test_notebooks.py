"""Every notebook runs from top to bottom, and prints what it says it prints.

A cell whose output differs from run to run (times, random numbers) has the tag `varies`: it is run and not
compared. To renew the outputs: `jupyter execute --inplace notebooks/*.ipynb` (of nbclient).
"""

from pathlib import Path

import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cell):
    """What a cell printed, and the representation of its value."""
    printed = [output.text for output in cell.outputs if output.output_type == "stream"]
    values = [output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
    return "".join(printed), values


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")  # the warnings of the Jupyter machinery are not ours
def test_notebook(path):
    expected, executed = nbformat.read(path, as_version=4), nbformat.read(path, as_version=4)
    nbformat.validate(expected)
    client = nbclient.NotebookClient(executed, timeout=300, kernel_name="python3")
    client.execute(cwd=str(FOLDER.parent))
    for before, after in zip(code_cells(expected), code_cells(executed), strict=True):
        if "varies" not in before.metadata.get("tags", []):
            assert text_of(after) == text_of(before), f"this cell prints something else now:\n{before.source}"
