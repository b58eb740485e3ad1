"""Arming: what the person's act records, and what it is shown as.

A program is armed at one version, with the triggers of its manifest. An edited program is another version: it does
nothing by itself until it is armed anew. A trigger that both versions have keeps its id and what waits for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

import msgspec

from agentos.events import schedule
from agentos.events.queue import MAX_TRIGGERS, Queue
from agentos.events.upcoming import Owed
from agentos.home.happenings import Armed
from agentos.home.refusal import Refusal
from agentos.manifest.lines import Manifest
from agentos.manifest.trigger import Trigger, trigger
from agentos.v1 import error_pb2
from agentos.v1 import events_pb2 as pb
from agentos.v1.trigger_pb2 import Filter
from agentos.v1.trigger_pb2 import Trigger as Shown

HOOK, SECRET_BYTES = "hook.received", 32


class Watched(Protocol):
    """What is known of triggers that a capability tells of."""

    def url(self, trigger: str) -> str: ...

    def trouble(self, trigger: str) -> str: ...


def armed(
    queue: Queue, manifest: Manifest, request: pb.ArmRequest, digest: str, next_id: Callable[[str], str], now_ms: int
) -> Armed:
    """The record that arms this program. Raises Refusal."""
    if not manifest.on:
        hint = 'write into its manifest: on = [{ event = "timer.every", seconds = 60 }]'
        raise Refusal(error_pb2.CODE_INVALID, "its manifest names no event, so nothing would start it", hint)
    rules = [trigger(each) for each in manifest.on]
    for rule in rules:
        if rule.event == "timer.at" and not schedule.following(rule, 0, now_ms):
            raise Refusal(error_pb2.CODE_INVALID, f"{rule.where}: this time has passed", "name one that lies ahead")
    path, source = request.source.path, request.source
    before = queue.programs.get(path)
    if len(queue.triggers) + len(manifest.on) > MAX_TRIGGERS:
        raise Refusal(error_pb2.CODE_LIMIT, "too many triggers are armed already", "see: agentos triggers")
    known = {_text(queue.triggers[each].rule): each for each in before.triggers} if before else {}
    texts = dict.fromkeys(_text(rule) for rule in rules)
    triggers = tuple(_entry(queue, known.get(text, ""), text, next_id) for text in texts)
    return Armed(
        path, manifest.name, digest, request.start_folder, request.home_folder, source.manifest_path, triggers, now_ms
    )


def _text(rule: Trigger) -> str:
    """An entry as JSON; the line on which it stands, and the secret it was given, make it no other."""
    return msgspec.structs.replace(rule, where="", secret="").text


def _entry(queue: Queue, known: str, text: str, next_id: Callable[[str], str]) -> tuple[str, str]:
    """A trigger's id and entry: of a hook with the secret that it has already, or with a new one."""
    rule = trigger(text)
    if rule.event != HOOK:
        return known or next_id("t"), text
    secret = queue.triggers[known].rule.secret if known else secrets.token_urlsafe(SECRET_BYTES)
    return known or next_id("t"), msgspec.structs.replace(rule, secret=secret).text


# ---- as messages


def on(manifest: Manifest) -> list[Shown]:
    """What starts a program, once it is armed."""
    return [shown(trigger(each)) for each in manifest.on]


def shown(rule: Trigger) -> Shown:
    return Shown(
        event=rule.event, at=rule.at, tz=rule.tz, every_ms=rule.every_ms, debounce_ms=rule.debounce_ms,
        filters=[Filter(field=field, value=value) for field, value in rule.filters], parallel=rule.parallel,
        latest=rule.latest, catch_up=rule.catch_up if rule.is_timer else "", retries=rule.retries,
        source=rule.where, headers=rule.headers, id_header=rule.id_header,
        batch=rule.batch, batch_ms=rule.batch_ms, paths=rule.paths, quiet_ms=rule.quiet_ms,
    )  # fmt: skip


def triggers(queue: Queue, path: str, now_ms: int, watched: Watched) -> list[pb.ArmedTrigger]:
    found = []
    for each in queue.programs[path].triggers:
        held = queue.triggers[each]
        going = held.rule.is_timer and held.on and not queue.programs[path].paused
        since_ms = schedule.armed_since(held.rule, held.since_ms, now_ms)
        next_ms = schedule.following(held.rule, since_ms, now_ms) if going else 0
        found.append(pb.ArmedTrigger(
            id=each, trigger=shown(held.rule), enabled=held.on, last_ms=held.last_ms, next_ms=next_ms,
            url=watched.url(each), trouble=watched.trouble(each),
        ))  # fmt: skip
    return found


def program(queue: Queue, path: str, now_ms: int, watched: Watched) -> pb.ArmedProgram:
    each = queue.programs[path]
    return pb.ArmedProgram(
        program=each.armed.program, path=path, digest=each.armed.digest, armed_ms=each.armed.at_ms,
        triggers=triggers(queue, path, now_ms, watched), waiting=len(queue.owed.get(path, ())), failures=each.failures,
        runs=sorted(queue.running.get(path, ())), paused=each.paused,
    )  # fmt: skip


def waiting(queue: Queue, owed: Owed) -> pb.WaitingEvent:
    known = queue.programs.get(owed.path)
    return pb.WaitingEvent(
        id=owed.event, name=owed.name, trigger=owed.trigger, path=owed.path, at_ms=owed.at_ms, run=owed.run,
        tries=owed.tries, after_ms=owed.after_ms, program=known.armed.program if known else "",
    )  # fmt: skip
