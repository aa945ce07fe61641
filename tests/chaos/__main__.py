"""`make chaos`: breaks things until the counts are over, and prints what held.

python -m tests.chaos [R1 R4 …]        FULL=1 for a release's counts, a tenth of them without; SEED=7 for other chances
"""

import os
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.chaos.field import field
from tests.chaos.promises import PROMISES


def main() -> int:
    """Exit status 1 where a promise does not hold, 2 where there is no such promise."""
    names = sys.argv[1:] or list(PROMISES)
    unknown = [name for name in names if name not in PROMISES]
    if unknown:
        print(f"no promise {unknown[0]}: there are {', '.join(PROMISES)}", file=sys.stderr)
        return 2
    share = 1.0 if os.environ.get("FULL") else 0.1
    seed = int(os.environ.get("SEED") or random.randrange(10_000))
    print(f"seed {seed}, {share:.0%} of a release's counts", flush=True)
    broken = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dms-chaos-") as folder, field(Path(folder), seed) as servers:
        for place, name in enumerate(names, 1):
            said = (PROMISES[name].__doc__ or "").partition("\n")[0]
            print(f"[{place}/{len(names)}] {name:<6} {said}", file=sys.stderr, flush=True)
            started = time.monotonic()
            try:
                figures = PROMISES[name](servers, share)
                print(f"{name:<6} holds   {time.monotonic() - started:5.0f} s  {figures}", flush=True)
            except Exception as failure:
                broken.append(name)
                traceback.print_exc()
                print(f"{name:<6} BROKEN  {time.monotonic() - started:5.0f} s  {failure}", flush=True)
    took = (time.monotonic() - began) / 60
    print(f"{len(names) - len(broken)} of {len(names)} promises hold, in {took:.1f} minutes", flush=True)
    if broken:
        again = "FULL=1 " if share == 1 else ""
        print(f'once more: {again}SEED={seed} make chaos ONLY="{" ".join(broken)}"', flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
