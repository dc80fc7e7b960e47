"""`python -m bench [control|recordings|upload …]`: take figures, print them, write bench/results.json."""

import argparse
import asyncio
import sys
from pathlib import Path

from bench import control_plane, recordings, upload
from bench.report import Figure, table, write

RESULTS = Path(__file__).parent / "results.json"
_ALL = ("recordings", "upload", "control")


def main() -> int:
    """Run the chosen benches; gives 1 when a figure misses its target."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("which", nargs="*", help=f"any of {', '.join(_ALL)}; all by default")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file that is written")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    for name in arguments.which or _ALL:
        print(f"{name} …", flush=True)
        taken = _take(name)
        print(table(taken), flush=True)
        figures += taken
    write(figures, arguments.json)
    return 0 if all(figure.reached for figure in figures) else 1


def _take(name: str) -> list[Figure]:
    if name == "control":
        return asyncio.run(control_plane.measure())
    if name == "recordings":
        return recordings.measure()
    if name == "upload":
        return upload.measure()
    raise SystemExit(f"no bench {name}; there are {', '.join(_ALL)}")


if __name__ == "__main__":
    sys.exit(main())
