"""`python -m agentos.sdk.generate [--check] [--image IMAGE --into FOLDER]`.

Without an image it compiles this repository's protos with buf and writes the modules of the SDK itself. With one (any
file that `buf build -o` or `protoc --include_source_info --include_imports --descriptor_set_out` wrote) it writes a
module for each capability in it. `--check` writes nothing and fails if a module is stale.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from agentos.sdk.generate.model import Unsupported
from agentos.sdk.generate.read import modules
from agentos.sdk.generate.render import render

SDK = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# Conveniences written by hand that a module offers beside what is generated, or in its place where it has their name.
HTTP = "Cookies Headers HTTPError Page Response Session delete get head page patch post put request"
BY_HAND = {
    "children": ("agentos.sdk.child", ("Child", "spawn")),
    "event": ("agentos.sdk.sent", ("send", "wait_for")),
    "files": ("agentos.sdk.whole", ("read_bytes", "read_text")),
    "net": ("agentos.sdk.http", tuple(HTTP.split())),
    "run": ("agentos.sdk.generation", ("continue_with",)),
}


def generate(image: FileDescriptorSet) -> dict[str, str]:
    """The text of every module, by file name."""
    by_hand = {f"{name}.{each}" for name, (_, names) in BY_HAND.items() for each in names}
    found = modules(image, by_hand)
    return {f"{module.name}.py": tidy(render(module, BY_HAND.get(module.name))) for module in found}


def build(folder: Path) -> FileDescriptorSet:
    """Compile the protos below `folder` with buf."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.binpb"
        subprocess.run([BIN / "buf", "build", "-o", image], cwd=folder, check=True)
        return FileDescriptorSet.FromString(image.read_bytes())


def tidy(text: str) -> str:
    """The text as ruff formats it, or as it is where there is no ruff."""
    ruff = BIN / "ruff"
    if not ruff.exists():
        return text
    command = [str(ruff), "format", "--isolated", "--line-length=120", "-"]
    return subprocess.run(command, input=text, capture_output=True, check=True, text=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agentos.sdk.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a module is stale")
    parser.add_argument("--image", type=Path, help="a compiled image; default: this repository's protos")
    parser.add_argument("--into", type=Path, default=SDK, help="where the modules go; default: the SDK")
    options = parser.parse_args()
    image = FileDescriptorSet.FromString(options.image.read_bytes()) if options.image else build(SDK.parent)
    try:
        texts = generate(image)
    except Unsupported as error:
        parser.error(str(error))
    stale = [name for name, text in texts.items() if _content(options.into / name) != text]
    for name in stale:
        print(f"{'stale' if options.check else 'wrote'}: {options.into / name}")
        if not options.check:
            (options.into / name).write_text(texts[name], encoding="utf-8")
    return bool(options.check and stale)


def _content(file: Path) -> str:
    return file.read_text(encoding="utf-8") if os.path.exists(file) else ""


if __name__ == "__main__":
    sys.exit(main())
