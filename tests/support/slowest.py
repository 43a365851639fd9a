"""Print the ten slowest tests of the last sessions, by the clock, from pytest's own records of them.

python -m tests.support.slowest .pytest_cache/workflow.xml .pytest_cache/training.xml
"""

import sys
from pathlib import Path
from xml.etree import ElementTree

SHOWN = 10


def find_slowest(records: list[Path]) -> list[tuple[float, str]]:
    """Return seconds and names of the slowest tests in records as --junitxml writes them, the slowest first."""
    cases = [case for record in records for case in ElementTree.parse(record).iter("testcase")]
    named = [(float(case.attrib["time"]), f"{case.attrib['classname']}::{case.attrib['name']}") for case in cases]
    return sorted(named, reverse=True)[:SHOWN]


def main() -> None:
    print("Slowest tests, in seconds:")
    for seconds, name in find_slowest([Path(name) for name in sys.argv[1:]]):
        print(f"{seconds:6.1f}  {name}")


if __name__ == "__main__":
    main()
