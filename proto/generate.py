"""Regenerate the Python beside the .proto files: `python proto/generate.py [--check]`.

buf compiles the sources to one image; protoc's Python plugins generate from that image, so that no remote plugin
is needed. `--check` writes nothing and fails if what is committed is stale.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("agentos/v1")
BIN = Path(sys.executable).parent


def generate(target: Path) -> None:
    """Write `*_pb2.py`, `*_pb2.pyi`, `*_pb2_grpc.py` and `*_pb2_grpc.pyi` of all protos below `target`."""
    image = target / "image.binpb"
    subprocess.run([BIN / "buf", "build", "-o", image], cwd=ROOT, check=True)
    names = sorted(str(PACKAGE / p.name) for p in (ROOT / "proto" / PACKAGE).glob("*.proto"))
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={image}"]
        + [f"--plugin=protoc-gen-{plugin}={BIN / f'protoc-gen-{plugin}'}" for plugin in ("mypy", "mypy_grpc")]
        + [f"--{out}={target}" for out in ("python_out", "grpc_python_out", "mypy_out", "mypy_grpc_out")]
        + names,
        check=True,
        stderr=subprocess.DEVNULL,
    )
    image.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed code is stale")
    check = parser.parse_args().check
    home = ROOT / "proto" / PACKAGE
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh = sorted((Path(scratch) / PACKAGE).iterdir())
        if check:
            stale = [f.name for f in fresh if not (home / f.name).exists() or not filecmp.cmp(f, home / f.name, False)]
            print("\n".join(f"stale: {name}" for name in stale) or "generated code is fresh")
            return bool(stale)
        for file in fresh:
            shutil.copyfile(file, home / file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
