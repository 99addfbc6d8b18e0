"""``python -m tests.harness --table``: the matrix primitive × property.

✓ holds for every sample, ✗ fails for one at least, – there is nothing to check (no derivative, no operands).
"""

import argparse
import sys

from ftrans.core.primitive import primitives
from tests.harness.cases import Case, all_cases
from tests.harness.properties import PROPERTIES

HOLDS, FAILS, NOTHING = "✓", "✗", "–"


def outcome(check, cases: list[Case], failures: list[str]) -> str:
    """One cell; what goes wrong is appended to `failures`."""
    checked, failed = False, False
    for case in cases:
        try:
            checked |= check(case)
        except Exception as error:  # whatever a rule raises makes its cell fail, not the table
            failed = True
            failures.append(
                f"{case} {check.__name__}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            )
    return FAILS if failed else HOLDS if checked else NOTHING


def print_table() -> int:
    """Prints the matrix, then every failure; the number of failures."""
    cases: dict[str, list[Case]] = {name: [] for name in primitives}
    for case in all_cases():
        cases[case.primitive.name].append(case)
    failures: list[str] = []
    width = max(map(len, cases))
    print(" " * width, *PROPERTIES)
    for name, samples in cases.items():
        cells = (outcome(check, samples, failures).center(len(title)) for title, check in PROPERTIES.items())
        print(name.ljust(width), *cells, flush=True)
    for failure in failures:
        print(failure)
    return len(failures)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    parser.add_argument("--table", action="store_true", required=True, help="print the matrix")
    parser.parse_args()
    sys.exit(1 if print_table() else 0)


if __name__ == "__main__":
    main()
