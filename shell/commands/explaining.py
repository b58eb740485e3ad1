"""Seeing what programs may do, before they run and after: explain, manifest."""

from __future__ import annotations

from agentos.shell import pages, source, start, values
from agentos.shell.failure import Failure
from agentos.shell.paint import emit, say
from agentos.shell.session import DEFAULTS, Common
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2


def explain(program: str, /, *, common: Common = DEFAULTS) -> int:
    """Say in plain words what a program may ask, before anything runs.

    It needs no kernel, and no home: where there is none, nothing is allowed yet.

    Parameters
    ----------
    program
        The script or component.
    """
    request = pb.ExplainRequest(source=source.read(program), **source.folders())
    said = None if common.on else start.alone(common.home, lambda found: start.explained(found, request))
    if isinstance(said, tuple):
        told, known = said
    else:
        with common.kernel() as kernel:
            told = kernel.call(kernel.stub.Explain, request).program
            known = kernel.call(kernel.stub.ListCapabilities, pb.ListCapabilitiesRequest()).capabilities
    if not common.answer(values.program(told)):
        pages.explain(told, known, counts=not common.on)
    return 0


def manifest(script: str, /, *, from_: str = "last", common: Common = DEFAULTS) -> int:
    """Write the manifest that a run of a script turned out to need, as a block to paste on top of it.

    Read it before you paste it: it asks for all that the run reached for,
    allowed or refused.

    Parameters
    ----------
    script
        The script that ran.
    from_
        The run to look at.
    """
    with common.kernel() as kernel:
        found = kernel.show(from_)
        ran = found.run
        path = source.read(script).path
        if ran.path != path:
            raise Failure(f"{ran.id} was a run of {ran.path}, not of {path}", "agentos ps lists the runs")
        block = kernel.call(kernel.stub.SuggestManifest, pb.SuggestManifestRequest(run=ran.id)).block
    if not common.answer({"run": ran.id, "block": block}):
        emit(block.rstrip("\n"))
        for call in found.calls:
            if call.decision != pb.CALL_DECISION_REFUSED and call.error.code == error_pb2.CODE_DENIED:
                say(f"not in it: {call.error.reason}; {call.error.hint}", "yellow")
    return 0
