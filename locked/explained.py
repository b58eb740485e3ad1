"""`python -m agentos.locked.explained`: what a program may ask, where there is no home yet. For the shell.

An ExplainRequest comes on standard input. One line of JSON goes out, with an ExplainResponse and a
ListCapabilitiesResponse in base64, or with an error. Nobody has allowed anything there, no capability was added, and no
secret is set: so all of it follows from the program and from what is installed, and no key is asked for to read a file.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from google.protobuf.message import Message

from agentos.home.refusal import Refusal
from agentos.kernel import views
from agentos.kernel.grants import Standing
from agentos.kernel.programs import check_bytes
from agentos.manifest import listed
from agentos.manifest.catalog import load
from agentos.manifest.reading import program_digest, read
from agentos.manifest.toml import ManifestError
from agentos.runs import prompts
from agentos.v1 import control_pb2 as pb

CAPABILITIES = Path(__file__).parents[1] / "capabilities"


def explained(request: pb.ExplainRequest, capabilities: Path) -> tuple[pb.ExplainResponse, pb.ListCapabilitiesResponse]:
    """What a kernel on a new home would say. Raises Refusal and ManifestError."""
    source = request.source
    check_bytes(source)
    catalog = load(sorted(each.parent for each in capabilities.glob("*/capability.toml")))
    manifest = read(
        source.content, source.path, source.manifest, source.manifest_path, catalog, request.start_folder,
        request.home_folder,
    )  # fmt: skip
    who = Standing("", manifest.name, source.path, program_digest(source.content, source.manifest))
    lines = prompts.review_lines(manifest, who, (), (), catalog)
    program = views.program(manifest, who, lines, catalog)
    known = pb.ListCapabilitiesResponse(capabilities=listed.capabilities(catalog))
    return pb.ExplainResponse(program=program), known


def main() -> None:
    request = pb.ExplainRequest.FromString(sys.stdin.buffer.read())
    try:
        said: dict[str, object] = {"told": [_text(each) for each in explained(request, CAPABILITIES)]}
    except Refusal as refusal:
        said = {"error": {"reason": refusal.fault.reason, "hint": refusal.fault.hint}}
    except ManifestError as wrong:
        place = f"{wrong.file}:{wrong.line}" if wrong.line else wrong.file
        said = {"error": {"reason": f"{place}: {wrong.reason}", "hint": wrong.hint}}
    sys.stdout.write(json.dumps(said) + "\n")


def _text(message: Message) -> str:
    return base64.b64encode(message.SerializeToString()).decode()


if __name__ == "__main__":
    main()
