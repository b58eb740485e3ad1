"""A secret tried out: one request, as the person's own act, through the whole path that a program's calls take.

It is a run like any other, of a program of a few lines whose manifest names the one place and the one secret. Typing
the command is the person's yes, for this run alone. So it is recorded as everything is, and nothing of the kernel has
to make an exception for it.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from agentos.shell.connect import Kernel
from agentos.shell.failure import Failure
from agentos.shell.source import folders
from agentos.v1 import control_pb2 as pb
from agentos.v1 import matchers, names, secrets
from agentos.v1.names import BadName
from agentos.v1.urls import url_path

LINEAGE = "/agentos/secrets-test.py"
PROGRAM = b"""\
from agentos.sdk import net


def main(input):
    reply = net.fetch("GET", input["scheme"], input["host"], port=input["port"], path=input["path"], stream=True)
    if reply.handle:
        net.close(reply.handle)
    return reply.status
"""


def destination(url: str) -> secrets.Place:
    """The parts of a URL, canonical: no patterns here. Raises Failure."""
    try:
        parts = urlsplit(url)
        port = str(parts.port or secrets.USUAL_PORT.get(parts.scheme, ""))
        if parts.scheme not in secrets.USUAL_PORT or not parts.hostname or "@" in parts.netloc:
            raise BadName("not a URL with a host")
        path = url_path(parts.path + (f"?{parts.query}" if parts.query else ""))
        return secrets.Place(parts.scheme, names.host(parts.hostname), names.port(port), path)
    except ValueError as bad:  # BadName is one
        raise Failure(f"{bad}", "write it as agentos secrets test NAME https://api.example.com/path") from None


def told(known: pb.SecretInfo, to: secrets.Place) -> tuple[bool, str]:
    """Whether the secret goes along to this place, and why: by the function that the capability itself asks."""
    for place in known.places:
        if secrets.place(place).covers(*to):
            return True, f"{place} gets it, as {known.header}"
    return False, f"it goes to {', '.join(known.places)}, and this is {to}"


def run(kernel: Kernel, name: str, to: secrets.Place) -> pb.Run:
    """Try it: the run at its end. Raises Failure if the kernel refuses it or goes away."""
    request = pb.RunRequest(
        source=pb.Source(path=LINEAGE, content=PROGRAM, manifest=_manifest(name, to), manifest_path=LINEAGE),
        input=json.dumps(to._asdict()),
        **folders(),
    )
    events = kernel.run(request)
    try:
        for event in events:
            if event.WhichOneof("event") == "prompt":
                _allow(kernel, event.prompt)
            elif event.WhichOneof("event") == "ended":
                return event.ended
    finally:
        events.hang_up()
    raise Failure("the kernel ended the test without a word", "see: agentos doctor")


def _allow(kernel: Kernel, prompt: pb.Prompt) -> None:
    yes = [pb.Decision(number=line.number, choice=pb.CHOICE_RUN) for line in prompt.lines if line.offers]
    kernel.call(kernel.stub.Answer, pb.AnswerRequest(prompt=prompt.id, digest=prompt.digest, decisions=yes))


def _manifest(name: str, to: secrets.Place) -> bytes:
    bounds = {
        "scheme": to.scheme, "host": to.host, "port": to.port, "secret": name,
        "path": matchers.literal(matchers.URL_PATH, to.path),
    }  # fmt: skip
    written = ", ".join(f"{key} = {json.dumps([value])}" for key, value in bounds.items())
    networks = 'network = ["public", "loopback", "lan"]'
    return f'name = "secrets test"\n[grants]\n"net.fetch" = {{ {written}, {networks} }}\n'.encode()
