"""The person's side of a real kernel: starts one on a home, runs programs, answers what they ask, looks and revokes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import grpc

from agentos.v1 import control_pb2 as pb
from agentos.v1 import control_pb2_grpc, error_pb2
from tests import compiled

Policy = Callable[[pb.Prompt], Iterable[pb.Decision] | None]
SECONDS = 60.0
TALK = [
    ("grpc.max_send_message_length", 80 << 20), ("grpc.max_receive_message_length", 80 << 20),
    ("grpc.use_local_subchannel_pool", 1),
]  # fmt: skip


class Stream(Iterator[pb.RunResponse], Protocol):
    """What a run tells, until its follower hangs up."""

    def cancel(self) -> object: ...


def nobody(prompt: pb.Prompt) -> None:
    """Leaves every question open."""


def all_lines(choice: pb.Choice.ValueType) -> Policy:
    """Answers each line that can be answered like that, and no others."""
    return lambda prompt: [
        pb.Decision(number=line.number, choice=choice)
        for line in prompt.lines
        if choice in (pb.CHOICE_NO, pb.CHOICE_NEVER) or choice in [offer.choice for offer in line.offers]
    ]


NO, NEVER, ONCE = all_lines(pb.CHOICE_NO), all_lines(pb.CHOICE_NEVER), all_lines(pb.CHOICE_ONCE)
FOR_RUN, FOR_VERSION = all_lines(pb.CHOICE_RUN), all_lines(pb.CHOICE_VERSION)


def error_of(failure: grpc.RpcError) -> error_pb2.Error:
    """What the kernel said of a call to it that failed."""
    found = [pair.value for pair in failure.trailing_metadata() or () if pair.key == "agentos-error-bin"]
    return error_pb2.Error.FromString(found[0])


@dataclass
class Told:
    """What a run told its follower, to its end."""

    ended: pb.Run = field(default_factory=pb.Run)
    id: str = ""
    prompts: list[pb.Prompt] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    refused: list[pb.Call] = field(default_factory=list)
    granted: list[pb.Line] = field(default_factory=list)
    output: str = ""

    @property
    def result(self) -> object:
        assert self.ended.status == pb.RUN_STATUS_DONE, f"{self.ended.error} {self.ended.traceback}"
        return json.loads(self.ended.result) if self.ended.result else None

    @property
    def status(self) -> str:
        return pb.RunStatus.Name(self.ended.status).removeprefix("RUN_STATUS_").lower()

    def hear(self, event: pb.RunResponse) -> str:
        kind = event.WhichOneof("event") or ""
        if kind == "accepted":
            self.id = event.accepted.run
        elif kind == "prompt":
            self.prompts.append(event.prompt)
        elif kind == "settled":
            self.settled.append(event.settled)
        elif kind == "refused":
            self.refused.append(event.refused)
        elif kind == "granted":
            self.granted.extend(event.granted.lines)
        elif kind == "output":
            self.output += event.output.text
        elif kind == "ended":
            self.ended = event.ended
        return kind


class Person:
    """One person in one folder, at a kernel that is up."""

    def __init__(self, socket: str, credential: str, folder: Path) -> None:
        self.socket = socket
        self.credential = credential
        self.folder = folder
        self.channel = grpc.insecure_channel(f"unix:{socket}", options=TALK)
        self.metadata = (("authorization", f"Bearer {credential}"),)
        self.control = control_pb2_grpc.ControlServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    # ---- programs

    def source(self, content: str | bytes, grants: str = "", name: str = "program.py", limits: str = "") -> pb.Source:
        """A program with the lines of its manifest; none, and it has no block at all."""
        raw = content.encode() if isinstance(content, str) else content
        if grants or limits:
            lines = ["/// script", "[tool.agentos]", *([f"limits = {{ {limits} }}"] if limits else [])]
            lines += ["[tool.agentos.grants]", *grants.strip().splitlines()] if grants else []
            raw = "".join(f"# {line.strip()}\n" for line in [*lines, "///"]).encode() + raw
        return pb.Source(path=str(self.folder / name), content=raw)

    def request(self, source: pb.Source, **more: object) -> pb.RunRequest:
        folder = str(self.folder)
        return pb.RunRequest(source=source, start_folder=folder, home_folder=folder, **more)  # type: ignore[arg-type]

    def start(self, source: pb.Source, **more: object) -> Stream:
        return self.control.Run(self.request(source, **more), metadata=self.metadata, timeout=SECONDS)

    def follow(
        self, stream: Iterator[pb.RunResponse], policy: Policy = nobody, told: Told | None = None,
        on: Callable[[str, pb.RunResponse, Told], None] | None = None,
    ) -> Told:  # fmt: skip
        """Follow a run to its end, answering each question by the policy. `on` sees each event after that."""
        told = told or Told()
        for event in stream:
            kind = told.hear(event)
            decisions = policy(event.prompt) if kind == "prompt" else None
            if decisions is not None:
                self.answer(event.prompt, decisions)
            if on:
                on(kind, event, told)
        return told

    def run(
        self, content: str | bytes, grants: str = "", policy: Policy | None = None, name: str = "program.py",
        limits: str = "", **more: object,
    ) -> Told:  # fmt: skip
        """Run it to its end. Without a policy nobody is there, and what its manifest asks is granted."""
        if policy is None:
            more = {"ask": pb.ASK_DENY, "grant_manifest": True, **more}
        return self.follow(self.start(self.source(content, grants, name, limits), **more), policy or nobody)

    def cancel(self, run: str) -> None:
        self.control.Cancel(pb.CancelRequest(run=run), metadata=self.metadata)

    def type(self, run: str, text: str) -> None:
        self.control.Type(pb.TypeRequest(run=run, text=text), metadata=self.metadata)

    # ---- authority

    def answer(self, prompt: pb.Prompt, decisions: Iterable[pb.Decision], digest: str = "") -> list[str]:
        request = pb.AnswerRequest(prompt=prompt.id, digest=digest or prompt.digest, decisions=decisions)
        return list(self.control.Answer(request, metadata=self.metadata).grants)

    def inbox(self) -> list[pb.Prompt]:
        return list(self.control.Inbox(pb.InboxRequest(), metadata=self.metadata).prompts)

    def explain(self, source: pb.Source) -> pb.Program:
        folder = str(self.folder)
        request = pb.ExplainRequest(source=source, start_folder=folder, home_folder=folder)
        return self.control.Explain(request, metadata=self.metadata).program

    def grants(self, **more: bool) -> list[pb.Grant]:
        """Of the programs in this person's folder alone: the kernel is shared by the tests."""
        found = self.control.ListGrants(pb.ListGrantsRequest(**more), metadata=self.metadata).grants
        return [grant for grant in found if grant.path.startswith(f"{self.folder}/")]

    def revoke(self, grant: str) -> pb.RevokeResponse:
        return self.control.Revoke(pb.RevokeRequest(id=grant), metadata=self.metadata)

    # ---- what happened

    def calls(self, run: str, action: str = "") -> list[pb.Call]:
        """The recorded calls of a run: what `why` is made of."""
        shown = self.control.ShowRun(pb.ShowRunRequest(run=run), metadata=self.metadata)
        return [call for call in shown.calls if call.action.startswith(action)]

    def record(self, run: str) -> pb.Run:
        """What the kernel knows of a run."""
        return self.control.ShowRun(pb.ShowRunRequest(run=run), metadata=self.metadata).run

    def why(self, run: str, seq: int) -> dict[str, str]:
        call = next(call for call in self.calls(run) if call.seq == seq)
        return {reason.label: reason.text for reason in call.reasons}

    def status(self) -> pb.StatusResponse:
        return self.control.Status(pb.StatusRequest(), metadata=self.metadata)

    def capability(self, name: str) -> pb.CapabilityInfo:
        told = self.control.ListCapabilities(pb.ListCapabilitiesRequest(), metadata=self.metadata)
        return next(info for info in told.capabilities if info.name == name)


def eventually(condition: Callable[[], bool], within_s: float = 30.0) -> bool:
    """Whether a condition comes true in time."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


@dataclass(frozen=True)
class Up:
    """A kernel that is up."""

    home: Path
    socket: str
    credential: str
    pid: int


def make_home(place: Path) -> Path:
    command = [sys.executable, "-m", "agentos.home", "init", "--home", str(place / "home")]
    command += ["--wrap", "key-file", "--key-file", str(place / "key")]
    subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    return place / "home"


def warm_home(place: Path) -> Path:
    """A home whose guest is compiled: what is waited for on it takes as long as what is done, and no longer."""
    home = make_home(place)
    compiled.keep_in(home)
    return home


@contextmanager
def kernel_on(home: Path, log: Path, *options: str, **environment: str) -> Iterator[Up]:
    """A real kernel process on this home; at the end it stops by itself, or the test fails."""
    told, tell = os.pipe()
    command = [sys.executable, "-m", "agentos.kernel", "serve", "--home", str(home), "--ready-fd", str(tell), *options]
    with log.open("ab") as out, open(told) as ready:
        process = subprocess.Popen(
            command, pass_fds=(tell,), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ | environment
        )
        os.close(tell)
        said = json.loads(ready.readline() or "{}")
        assert said.get("ok"), f"{said} {log.read_text()}"
        try:
            yield Up(home, said["socket"], Path(said["credential"]).read_text().strip(), said["pid"])
        finally:
            process.terminate()
            process.wait(20)
