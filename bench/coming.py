"""What comes by itself while the crash harness kills: events that start programs, that runs wait for, a timer, and
programs that are armed for once.

What was acknowledged counts. An event whose answer was cut off is sent again where it has an id of ours, and may be
there or not where it has none; a program whose arming was cut off may be armed or not. Each writes a line of its own,
so that the lines alone say how often it took effect.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import grpc

from agentos.v1 import events_pb2 as pb
from agentos.v1 import events_pb2_grpc
from tests.kernel.person import Person

PAID, EVERY, ONCE = "came-paid", "came-every", "came-once"
ASKED, ANSWERED = "came-asked", "came-answered"
EVERY_S = 2
# A program that is armed comes so long after that. An arming that took longer counts as cut off.
AHEAD_S = 6
WITHIN_S = 5.0
SENDS, ARMS, NAMED, ASKS = 0.5, 0.02, 0.7, 0.2
SAYS = """
from agentos.sdk import files
def main(input):
    files.append("{log}", text={line} + "\\n")
"""
# What is asked is on record outside before its answer is sent: so the run hears names by then, and must get it.
WAITS = f"""
from agentos.sdk import event, files
def main(input):
    files.append("{ASKED}", text=input["data"] + "\\n")
    answer = event.wait_for("answered", where={{"to": input["data"]}})
    files.append("{ANSWERED}", text=answer["data"]["to"] + "\\n")
"""


class Coming:
    """What was sent and armed, and what must have come of it."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self._folder, self._chance = folder, chance
        self._acknowledged: set[str] = set()
        self._sent = 0
        self._again: list[str] = []
        self._armed_ms, self._until_ms, self._trigger = 0, 0, ""
        self._once: set[str] = set()
        self._answers: set[str] = set()
        for log in (PAID, EVERY, ONCE, ASKED, ANSWERED):
            (folder / log).touch()

    # ---- what the person does

    def arm(self, person: Person) -> None:
        """The two that are armed from the beginning."""
        self._arm(person, "paid.py", '{ event = "event.paid", concurrency = { parallel = 4 } }', PAID, 'input["data"]')
        every = f'{{ event = "timer.every", seconds = {EVERY_S}, catch_up = "all" }}'
        [trigger] = self._arm(person, "every.py", every, EVERY, 'str(input["at"])').triggers
        self._trigger = trigger.id
        self._armed_ms = self._programs(person)["every.py"].armed_ms
        ask = '{ event = "event.asked", concurrency = { parallel = 4 } }'
        may = f'"files.append" = {{ path = ["{ASKED}", "{ANSWERED}"] }}', '"event.wait_for" = { name = ["answered"] }'
        self._armed(person, "waits.py", ask, may, WAITS)

    def more(self, person: Person) -> None:
        """Send something, or arm something, now and then."""
        if self._chance.random() < SENDS:
            named = self._chance.random() < NAMED
            self._send(person, f"{'n' if named else 'a'}-{self._sent}")
            self._sent += 1
        if self._again:
            self._send(person, self._again.pop(0))
        if self._chance.random() < ASKS:
            self._send(person, f"q-{self._sent}")
            self._sent += 1
        self._answer(person)
        if self._chance.random() < ARMS:
            self._arm_once(person)

    def stop(self, person: Person) -> None:
        """Send again what is not acknowledged, and let the timer come no more."""
        again, self._again = self._again, []
        for token in again:
            self._send(person, token)
        self._until_ms = int(time.time() * 1000)
        off = pb.SwitchRequest(name=self._trigger, on=False)
        _events(person).Switch(off, metadata=person.metadata, timeout=30)

    def _answer(self, person: Person) -> None:
        """Send what runs wait for that have asked; each under an id of its own, again until it is there."""
        for token in sorted(set((self._folder / ASKED).read_text().split()) - self._answers):
            data = json.dumps({"to": token})
            request = pb.SendEventRequest(name="answered", data=data, id=f"answer-{token}")
            try:
                _events(person).SendEvent(request, metadata=person.metadata, timeout=WITHIN_S)
            except (grpc.RpcError, ValueError):
                return
            self._answers.add(token)
            self.counts["answers that a run waited for"] += 1

    def _send(self, person: Person, token: str) -> None:
        named = not token.startswith("a")
        name = "asked" if token.startswith("q") else "paid"
        request = pb.SendEventRequest(name=name, data=f'"{token}"', id=token if named else "")
        try:
            said = _events(person).SendEvent(request, metadata=person.metadata, timeout=WITHIN_S)
        except (grpc.RpcError, ValueError):
            self.counts["events whose answer was cut off"] += 1
            self._again += [token] if named else []
            return
        self._acknowledged.add(token)
        self.counts["events acknowledged"] += 1
        self.counts["events sent again that were there"] += said.duplicate

    def _arm_once(self, person: Person) -> None:
        token, at = f"o-{self.counts['programs armed']}", int(time.time()) + AHEAD_S
        self.counts["programs armed"] += 1
        when = datetime.fromtimestamp(at, UTC).isoformat()
        try:
            self._arm(person, f"{token}.py", f'{{ event = "timer.at", at = "{when}" }}', ONCE, f'"{token}"', WITHIN_S)
        except (grpc.RpcError, ValueError):
            return
        if time.time() < at - 1:
            self._once.add(token)

    def _arm(self, person: Person, name: str, on: str, log: str, line: str, within_s: float = 60.0) -> pb.ArmResponse:
        may = (f'"files.append" = {{ path = ["{log}"] }}',)
        return self._armed(person, name, on, may, SAYS.format(log=log, line=line), within_s)

    def _armed(
        self, person: Person, name: str, on: str, may: Sequence[str], content: str, within_s: float = 60.0
    ) -> pb.ArmResponse:
        block = ["/// script", "[tool.agentos]", f"on = [{on}]", "[tool.agentos.grants]", *may, "///"]
        source = person.source("".join(f"# {each}\n" for each in block) + content, name=name)
        folder = str(person.folder)
        request = pb.ArmRequest(
            source=source, start_folder=folder, home_folder=folder, confirmed=True, grant_manifest=True
        )
        return _events(person).Arm(request, metadata=person.metadata, timeout=within_s)

    # ---- what became of it

    def _programs(self, person: Person) -> dict[str, pb.ArmedProgram]:
        found = _events(person).ListArmed(pb.ListArmedRequest(), metadata=person.metadata, timeout=30).programs
        return {Path(each.path).name: each for each in found}

    def waits(self, person: Person) -> list[str]:
        """What is not delivered yet."""
        try:
            self._answer(person)
            programs = self._programs(person).values()
        except grpc.RpcError as error:
            return [str(error)]
        soon = time.time() * 1000 + 1000 * AHEAD_S
        return [
            f"{each.path}: {each.waiting} wait, {list(each.runs)} run {each.paused}"
            for each in programs
            if each.waiting or each.runs or any(0 < one.next_ms < soon and one.enabled for one in each.triggers)
        ]

    def wrong(self) -> list[str]:
        """All that is not as it must be."""
        logs = (PAID, EVERY, ONCE, ASKED, ANSWERED)
        paid, every, once, asked, answered = (Counter((self._folder / log).read_text().split()) for log in logs)
        all_of = (paid, every, once, asked, answered)
        found = [f"{line} came {count} times" for of in all_of for line, count in of.items() if count > 1]
        lost = sorted(self._acknowledged - set(paid) - set(asked)) + sorted(self._once - set(once))
        lost += sorted(self._answers - set(answered))
        found += [f"{each} was acknowledged and never came" for each in lost]
        step_ms = EVERY_S * 1000
        times = range(self._armed_ms + step_ms, self._until_ms, step_ms)
        missed = [at for at in times if str(at) not in every]
        found += [f"of {len(times)} times of the timer {len(missed)} never came: {missed[:5]}"] if missed else []
        self.counts["times of the timer"], self.counts["programs armed that came"] = len(times), len(once)
        return found


def _events(person: Person) -> events_pb2_grpc.EventsServiceStub:
    return events_pb2_grpc.EventsServiceStub(person.channel)
