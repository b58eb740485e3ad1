"""What comes in: a program's bytes read and named, and a run that was accepted before made anew from its record."""

from __future__ import annotations

import msgspec

from agentos.home.history import ProgramSeen, RunBegan
from agentos.home.refusal import Refusal
from agentos.kernel.grants import Standing
from agentos.kernel.lately import Lately
from agentos.kernel.ledger import Ledger
from agentos.kernel.programs import check_bytes
from agentos.manifest.lines import Limits, Manifest
from agentos.manifest.reading import program_digest, read
from agentos.manifest.rules import Catalog
from agentos.manifest.toml import ManifestError
from agentos.runs.run import Run
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

KEPT_SOURCE = 8 << 20
MAX_INPUT = 4 << 20
MAX_ARGUMENTS = 1 << 20
MAX_PATH = 4095
KNOWN = 64


class Intake:
    def __init__(self, catalog: Catalog, ledger: Ledger) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._manifests: Lately[tuple[str | int, ...], Manifest] = Lately(KNOWN)

    def read(
        self, source: pb.Source, start: str, home: str, run_id: str, terminal: tuple[int, int]
    ) -> tuple[Manifest, Standing]:
        check_bytes(source)
        if not all(folder.startswith("/") for folder in (start, home, source.path)):
            raise Refusal(error_pb2.CODE_INVALID, "a program's path and folders must be absolute")
        digest = program_digest(source.content, source.manifest)
        key = (digest, source.path, source.manifest_path, start, home, self._catalog.changes)
        try:
            manifest = self._manifests.get(key) or self._manifests.put(key, read(
                source.content, source.path, source.manifest, source.manifest_path, self._catalog, start, home
            ))  # fmt: skip
        except ManifestError as wrong:
            raise Refusal(error_pb2.CODE_INVALID, wrong.placed, wrong.hint, "manifest") from None
        return manifest, Standing(run_id, manifest.name, source.path, digest, terminal)

    def unseen(self, source: pb.Source, who: Standing) -> list[ProgramSeen]:
        if who.digest in self._ledger.programs:
            return []
        content = source.content if len(source.content) <= KEPT_SOURCE else b""
        return [ProgramSeen(who.digest, who.path, who.program, content, source.manifest)]

    def again(self, began: RunBegan) -> Run:
        """A run as it was accepted. Nobody follows it: what it asks waits in the inbox. Raises Refusal."""
        seen = self._ledger.program(began.digest)
        if seen is None or program_digest(seen.content, seen.manifest) != began.digest:
            raise Refusal(error_pb2.CODE_LIMIT, f"a program above {KEPT_SOURCE >> 20} MiB is not kept", "run it again")
        source = pb.Source(
            path=began.path, content=seen.content, manifest=seen.manifest, manifest_path=began.manifest_path
        )
        ask = pb.ASK_DENY if began.ask == pb.ASK_DENY else pb.ASK_WAIT
        request = pb.RunRequest(
            source=source, start_folder=began.start_folder, home_folder=began.home_folder,
            arguments=began.arguments, input=began.input, ask=ask,
        )  # fmt: skip
        manifest, who = self.read(source, began.start_folder, began.home_folder, began.run, began.terminal)
        if began.above:
            limits = Limits(*map(min, msgspec.structs.astuple(manifest.limits), began.within))
            manifest = msgspec.structs.replace(manifest, limits=limits)
            who = msgspec.structs.replace(who, above=began.above)
        return Run(began, request, manifest, who, self._ledger.durable)


def check_sizes(request: pb.RunRequest) -> None:
    """What a run was started with stands in its record, whole: so it ends somewhere. Raises Refusal."""
    if sum(len(each.encode()) + 8 for each in request.arguments) > MAX_ARGUMENTS:
        hint = "write them to a file, and let the program read that"
        reason = f"the arguments are larger than {MAX_ARGUMENTS >> 20} MiB"
        raise Refusal(error_pb2.CODE_LIMIT, reason, hint, "too_large")
    source = request.source
    paths = (source.path, source.manifest_path, request.start_folder, request.home_folder)
    if any(len(path.encode()) > MAX_PATH for path in paths):
        reason = f"a path is longer than {MAX_PATH} bytes"
        raise Refusal(error_pb2.CODE_LIMIT, reason, "start it from a folder with a shorter name", "too_large")


def check_input(text: str) -> None:
    if len(text.encode()) > MAX_INPUT:
        hint = "write it to a file, and let the program read that"
        raise Refusal(error_pb2.CODE_LIMIT, f"the input is larger than {MAX_INPUT >> 20} MiB", hint, "too_large")
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        raise Refusal(error_pb2.CODE_INVALID, "the input is not JSON", "try: --input '{\"key\": 1}'") from None
