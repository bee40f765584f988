"""`python -m tests.fuzz MINUTES`: every fuzz test again and again with new inputs, until the time is up.

Ends at the first failure, which prints its input; exit code as pytest's.
"""

import os
import subprocess
import sys
from pathlib import Path

from controller.clock import SystemClock
from controller.core.units import NS_PER_S

# One round takes some minutes on one core.
FACTOR = 10
ROUND_LIMIT_S = 3_600


def main(minutes: int) -> int:
    clock = SystemClock()
    end_ns = clock.monotonic_ns() + minutes * 60 * NS_PER_S
    folder = Path(__file__).parent
    rounds = 0
    while clock.monotonic_ns() < end_ns:
        rounds += 1
        factor = FACTOR if minutes > 2 else 1
        print(f"round {rounds}", flush=True)
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", f"--timeout={ROUND_LIMIT_S}", str(folder)],
            cwd=folder.parents[1],
            env={**os.environ, "PARCELGATE_FUZZ_FACTOR": str(factor)},
            check=False,
        )
        if ended.returncode:
            return ended.returncode
    print(f"{rounds} rounds, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
