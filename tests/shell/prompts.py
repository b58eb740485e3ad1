"""Prompts as the kernel sends them, for tests that need no kernel."""

from __future__ import annotations

from agentos.v1 import annotations_pb2, capability_pb2
from agentos.v1 import control_pb2 as pb

STANDING = ((pb.CHOICE_RUN, "until this run ends"), (pb.CHOICE_VERSION, "while this version lives"))
PROGRAM = pb.Program(name="links", path="/home/me/links.py", digest="ab" * 32, has_manifest=True)


def paths(*values: str) -> list[capability_pb2.Bound]:
    return [capability_pb2.Bound(name="path", values=values)]


def offers(bounds: list[capability_pb2.Bound], scope: str = "") -> list[pb.Offer]:
    return [
        pb.Offer(choice=choice, bounds=bounds, label=", ".join(filter(None, [scope, label])))
        for choice, label in STANDING
    ]


def wanted(number: int, action: str, *patterns: str, always: bool = False) -> pb.Line:
    """A line of a review."""
    return pb.Line(
        number=number,
        action=action,
        effect=annotations_pb2.EFFECT_OBSERVE,
        bounds=paths(*patterns),
        state=pb.LINE_STATE_NEW,
        source=f"links.py:{number + 4}",
        always_asks=always,
        offers=[] if always else offers(paths(*patterns)),
    )


def review(*lines: pb.Line, why: str = "new program, you started it") -> pb.Prompt:
    return pb.Prompt(id="p1", run="r1", program=PROGRAM, review=True, lines=lines, digest="cd" * 32, why=why)


def made(number: int, path: str, folder: str = "") -> pb.Line:
    """A line of a call that asks, with its folder as the middle scope."""
    exact = paths(path)
    once = [pb.Offer(choice=pb.CHOICE_ONCE, bounds=exact, label="this one call")]
    return pb.Line(
        number=number,
        action="files.write",
        effect=annotations_pb2.EFFECT_DESTROY,
        bounds=exact,
        targets=[capability_pb2.Target(name="path", value=path)],
        summary=f"write {path}",
        state=pb.LINE_STATE_NEW,
        origins=["path written in links.py:12"],
        offers=once + offers(exact) + (offers(paths(folder), "this folder") if folder else []),
    )


def calls(*lines: pb.Line, why: str = "outside what was allowed so far") -> pb.Prompt:
    return pb.Prompt(id="p2", run="r1", program=PROGRAM, lines=lines, digest="cd" * 32, why=why)
