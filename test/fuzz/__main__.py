# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""
Look for input that brings something else than the documented error, or a result.

Every failing input is written to a file; copied to ``test/fuzz/findings/<target>/`` it
becomes a regression test. Run it in ``test/``: ``python -m fuzz``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
import secrets
import subprocess
import sys
import time

from fuzz.worker import Finding, TARGETS, Worker
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
_TURN_S = 60.0  # of one target, before the next has its turn
PROPERTIES = 'properties'


def main() -> int:
    """Run from the command line; the exit status is 1 where something was found."""
    parser = argparse.ArgumentParser(prog='fuzz', description=__doc__)
    add = parser.add_argument
    add('--seconds', type=float, default=600.0, help='how long (default: %(default)s)')
    add('--targets', nargs='+', choices=[*TARGETS, PROPERTIES], default=[*TARGETS, PROPERTIES],
        help="what to damage; 'properties' are the tests of Hypothesis with fresh seeds")
    add('--seed', type=int, help='of the first input; the next has the next (default: random)')
    add('--runs', type=int, help='inputs per target, at most')
    add('--findings', type=Path, default=ROOT / 'runs' / 'fuzz', metavar='FOLDER',
        help='where failing inputs are written (default: runs/fuzz)')
    options = parser.parse_args()
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    print(f'fuzz: first seed {seed}; the same again: --seed {seed}')
    runs: Counter[str] = Counter()
    outcomes: Counter[tuple[str, str]] = Counter()
    found: set[tuple[str, str]] = set()
    ends = time.monotonic() + options.seconds
    bar = tqdm(total=int(options.seconds), unit='s', bar_format='{l_bar}{bar}| {n}/{total} s '
               '{postfix}')
    try:
        while time.monotonic() < ends:
            begun = sum(runs.values())
            for target in options.targets:
                _turn(target, options, seed, min(ends, time.monotonic() + _TURN_S), runs,
                      outcomes, found)
                bar.n = min(int(options.seconds - ends + time.monotonic()), bar.total)
                bar.set_postfix_str(f'{sum(runs.values())} runs, {len(found)} findings')
            if sum(runs.values()) == begun:  # all have had what --runs allows
                break
    except KeyboardInterrupt:
        print('fuzz: interrupted', file=sys.stderr)
    finally:
        bar.close()
        for target in options.targets:
            count = {kind: n for (name, kind), n in sorted(outcomes.items()) if name == target}
            print(f'{target}: {runs[target]} runs, {count}')
    return int(bool(found))


def _turn(target: str, options: argparse.Namespace, seed: int, until: float,
          runs: Counter[str], outcomes: Counter[tuple[str, str]], found: set[tuple[str, str]]
          ) -> None:
    with Worker(target) as worker:
        while time.monotonic() < until and (options.runs is None or runs[target] < options.runs):
            now = seed + runs[target]
            outcome = _properties(now) if target == PROPERTIES else worker.run(now)
            runs[target] += 1
            if isinstance(outcome, Finding):
                _write(outcome, options.findings, found)
                outcome = 'finding'
            outcomes[target, outcome] += 1


def _write(finding: Finding, folder: Path, found: set[tuple[str, str]]) -> None:
    path = folder / finding.target / finding.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(finding.data)
    path.with_suffix('.txt').write_text(f'seed {finding.seed}\n{finding.text}')
    last = (finding.text.strip().splitlines() or [''])[-1]
    tqdm.write(f'fuzz: {finding.target}, seed {finding.seed}: {last[:300]}\n      {path}')
    found.add((finding.target, finding.name))


def _properties(seed: int) -> str | Finding:
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-x', '-m', 'hypothesis', '--seed',
         str(seed % 2**32), 'test/vision', 'test/mapping', 'test/localization'],
        cwd=ROOT, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    return 'fine' if done.returncode == 0 else Finding(PROPERTIES, seed, text, text.encode())


if __name__ == '__main__':
    raise SystemExit(main())
