"""``python -m tests.harness --table``: the matrices of what is checked, as Markdown.

One of the primitives, one of the public array functions, each with the properties as columns. ``--table``
prints them; ``docs/coverage.md`` is what it printed.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftrans.core.primitive import primitives
from ftrans.primitives.collective import Collective
from ftrans.primitives.metal_kernel import UserKernel
from tests.harness.cases import all_cases
from tests.harness.check_functions import FUNCTION_PROPERTIES, function_cases
from tests.harness.functions import public_functions
from tests.harness.properties import PROPERTIES

HOLDS, FAILS, NOTHING, UNKNOWN = "✓", "✗", "–", "?"

INTRODUCTION = f"""# What is checked

Printed by `python -m tests.harness --table > docs/coverage.md`. {HOLDS} holds for every sample, {FAILS} fails
for one at least, {NOTHING} there is nothing to check (no derivative, no arrays, a result whose shape depends
on values), {UNKNOWN} there is no sample. Collectives mean something only to a whole batch, so they are not
here: `tests/transforms/test_collectives.py` checks them. On `ft.gpu`, `tests/metal/test_harness.py`
checks every primitive."""


def outcome(check: Callable[[Any], bool], cases: Sequence[Any], failures: list[str]) -> str:
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
    if not cases:
        failures.append(f"there is no sample for the column {check.__name__}")
        return UNKNOWN
    return FAILS if failed else HOLDS if checked else NOTHING


def print_matrix(
    what: str, cases: Mapping[str, Sequence[Any]], properties: Mapping[str, Callable[[Any], bool]]
) -> list[str]:
    """Prints one matrix, row by row as they are found out; returns every failure."""
    failures: list[str] = []
    print(f"\n## {len(cases)} {what}\n")
    print(f"| | {' | '.join(title.replace('_', ' ') for title in properties)} |")
    print(f"|---|{':-:|' * len(properties)}")
    for name, samples in sorted(cases.items()):
        cells = [outcome(check, samples, failures) for check in properties.values()]
        print(f"| {name.replace('_', chr(92) + '_')} | {' | '.join(cells)} |", flush=True)
    return failures


def print_tables() -> int:
    """Prints the matrices, then every failure; the number of failures."""
    of_primitives: dict[str, list[Any]] = {
        name: [] for name, p in primitives.items() if not isinstance(p, (Collective, UserKernel))
    }
    for case in all_cases():
        of_primitives[case.primitive.name].append(case)
    of_functions: dict[str, list[Any]] = {name: [] for name in public_functions()}
    for call in function_cases():
        of_functions[call.name].append(call)
    print(INTRODUCTION)
    failures = [
        *print_matrix("primitives", of_primitives, PROPERTIES),
        *print_matrix("functions", of_functions, FUNCTION_PROPERTIES),
    ]
    for failure in failures:
        print(failure, file=sys.stderr)
    return len(failures)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    parser.add_argument("--table", action="store_true", required=True, help="print the matrices")
    parser.parse_args()
    sys.exit(1 if print_tables() else 0)


if __name__ == "__main__":
    main()
