"""The command: runs the benchmarks and prints a row for each comparison. Exit code 1 if a bar is missed."""

import argparse
import sys
from pathlib import Path

from benchmarks.measure import HEADER
from benchmarks.platform import compile_bytecode, running_platform
from benchmarks.suite import NAMES, holds


def main() -> int:
    """All benchmarks, or one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of real exports (crimes*.csv.gz, police_stations.csv); default: generated crimes")
    parser.add_argument("--only", choices=NAMES, help="one benchmark")
    arguments = parser.parse_args()
    compile_bytecode()
    print(HEADER, flush=True)
    with running_platform(arguments.data) as platform:
        missed = [name for name in ([arguments.only] if arguments.only else NAMES) if not holds(name, platform)]
    if missed:
        print(f"missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
