"""Drive a peer's program: `python peers_drive.py PROGRAM [ARGUMENT ...]`, run by the peer's own Python.

The program prepares everything and then asks `bench_common.timeit` to time a step. Here that function serves instead:
every line `step` on standard input runs one step and answers with its wall and processor seconds, `end` lets the
program go on to save its images. So programs of several processes can take turns. Imports nothing of ours.
"""

import os
import runpy
import sys
import time
from pathlib import Path


def main():
    program, arguments = Path(sys.argv[1]).resolve(), sys.argv[2:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the program prints is for people
    sys.path[0] = str(program.parent)
    sys.argv = [str(program), *arguments]
    import bench_common

    own_timeit = bench_common.timeit
    served = []

    def answer(text):
        answers.write(text + "\n")
        answers.flush()

    def timeit(step, sync, reps, min_time):
        if served:  # parts of the step, timed after it: nobody asked
            return own_timeit(step, sync, 1, 0.0)
        served.append(True)
        walls = []
        answer("ready")
        for line in sys.stdin:
            if line.strip() == "end":
                break
            sync()
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            sync()
            walls.append(time.perf_counter() - wall)
            answer(f"{walls[-1]!r} {time.process_time() - cpu!r}")
        else:
            raise SystemExit("nobody listens any more")
        walls = sorted(walls) or [float("nan")]
        return walls[len(walls) // 2], walls[0], len(walls)

    bench_common.timeit = timeit
    runpy.run_path(str(program), run_name="__main__")


if __name__ == "__main__":
    main()
