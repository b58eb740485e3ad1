"""`python -m tests.home.older.make`: have each older version write a home, with its own code.

For each commit below its source is taken out of the history, and `writes.py` is run with it: it makes a home, records
one of everything that this version could record, through its own ledger, and writes down what it then knew. The home
is put here as NAME.zip: unlock.json, agentos.db, head, key, and known.json. They are encrypted like every home, and
their key is in the file `key`, so that a test can open them. They are made once and committed; made again, they differ
in keys, salts and times alone.

A commit is listed where the tables, the form of a record or the snapshot that is kept became another. Who changes one
of these adds the commit before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
COMMITS = {
    "1-first": "f0508a5",  # version 1 of the tables: no salts, no signed heads, no vault
    "1-vault": "0e39997^",  # the last of version 1: secrets in a vault, bounds with defaults
    "2-heads": "3ec9a90",  # version 2: commitments, heads, the snapshot "ledger 1"
    "2-waits": "d1bbeea",  # runs that are parked, unknown calls: "ledger 2"
    "2-events": "69c0e6a",  # triggers and events: "ledger 3"
    "2-generations": "b3477b8",  # runs that continue as new: the first "ledger 4"
    "2-children": "9d56625",  # children, what was refused twice
    "2-sent": "9cdf501",  # events that programs send, the snapshot "ledger 6"
}
TAKEN = ("unlock.json", "agentos.db", "key", "head", "known.json")


def main() -> int:
    for name, commit in COMMITS.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            source = folder / "source"
            source.mkdir()
            archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
            subprocess.run(["tar", "x", "-C", str(source)], input=archive, check=True)
            environment = os.environ | {"PYTHONPATH": str(source / "dev"), "AGENTOS_STATE": str(folder / "state")}
            written = [sys.executable, str(HERE / "writes.py"), str(folder)]
            subprocess.run(written, cwd=folder, env=environment, check=True)
            with zipfile.ZipFile(HERE / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
                for file in TAKEN:
                    if (folder / "home" / file).exists():
                        packed.write(folder / "home" / file, file)
        print(name, (HERE / f"{name}.zip").stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
