"""What agentos top shows: two samples of a kernel's counts, as rows for a person and as one JSON object a line."""

from __future__ import annotations

from collections.abc import Callable

from agentos.shell.paint import columns
from agentos.shell.text import plural, size, span
from agentos.v1 import statistics_pb2 as pb

# What only grows while a kernel is up, so that the difference of two samples is a rate.
GROWING = (
    ("runs", "began"), ("runs", "ended"), ("calls", "made"), ("cells", "forks"), ("journal", "records"),
    ("journal", "batches"), ("queue", "taken"),
)  # fmt: skip
SERVER = "server "
Row = tuple[str, str, str]


def rates(now: pb.SampleResponse, before: pb.SampleResponse | None) -> dict[str, float]:
    """How much came in a second since the sample before, by `part.name`; none without one of the same kernel."""
    if before is None or before.started_ms != now.started_ms or now.at_ms <= before.at_ms:
        return {}
    seconds = (now.at_ms - before.at_ms) / 1000
    return {
        f"{part}.{name}": round((now.parts[part].counts[name] - before.parts[part].counts[name]) / seconds, 1)
        for part, name in GROWING
    }


def fields(now: pb.SampleResponse, before: pb.SampleResponse | None) -> dict[str, object]:
    """One sample, with all that the kernel counts."""
    parts = {part: dict(sorted(found.counts.items())) for part, found in sorted(now.parts.items())}
    return {"at_ms": now.at_ms, "up_ms": now.at_ms - now.started_ms, **parts, "per_second": rates(now, before)}


def lines(now: pb.SampleResponse, before: pb.SampleResponse | None) -> list[str]:
    """One sample as a page: how fast things come, and what there is; a narrow terminal cuts off the latter."""
    a_second = rates(now, before)

    def of(part: str) -> Callable[[str], int]:
        return now.parts[part].counts.__getitem__

    def fast(name: str, what: str) -> str:
        return f"{a_second[name]:,.1f} {what}/s" if name in a_second else ""

    rows = [
        _runs(of("runs"), of("prompts"), fast("runs.began", "begun")),
        _cells(of("cells"), fast("cells.forks", "forks")),
        _calls(of("calls"), fast("calls.made", "calls")),
        _queue(of("queue"), fast("queue.taken", "events")),
        *_watching(of("watching")),
        _journal(of("journal"), fast("journal.records", "records"), fast("journal.batches", "syncs")),
        *_log(of("log")),
        *(_server(part, of(part)) for part in sorted(now.parts) if part.startswith(SERVER)),
    ]
    up = span(max(now.at_ms - now.started_ms, 0) * 1000)
    return [
        f"up {up}, {span(of('process')('cpu_us'))} of CPU time",
        *columns([(name, fast, text) for name, text, fast in rows]),
    ]


def _runs(runs: Callable[[str], int], prompts: Callable[[str], int], fast: str) -> Row:
    parts = [f"{runs('active')} active", f"{runs('waiting')} waiting", plural(prompts("open"), "question")]
    parts += [f"{prompts('answered'):,} answered"] if prompts("answered") else []
    return "runs", _joined(*parts, f"{runs('unknown')} unknown" if runs("unknown") else ""), fast


def _cells(cells: Callable[[str], int], fast: str) -> Row:
    wanted = f"{cells('wanted')} wanted" if cells("wanted") else ""
    return "cells", _joined(f"{cells('ready')} ready", f"{cells('busy')} busy", wanted), fast


def _calls(calls: Callable[[str], int], fast: str) -> Row:
    parts = [f"{calls('made'):,} made", f"{calls('refused'):,} refused", f"{calls('failed'):,} failed"]
    took = [f"{name} {span(calls(f'{name}_us'))}" for name in ("p50", "p90", "p99")] if calls("done") else []
    return "calls", _joined(*parts, *took), fast


def _queue(queue: Callable[[str], int], fast: str) -> Row:
    parts = [f"{queue('waiting'):,} waiting", f"{queue('dead'):,} given up", f"{queue('programs')} armed"]
    under_way = f"{queue('with_runs'):,} with runs" if queue("with_runs") else ""
    return "events", _joined(*parts, f"{queue('paused')} paused" if queue("paused") else "", under_way), fast


def _watching(watching: Callable[[str], int]) -> list[Row]:
    """Where nothing is watched there is nothing to say."""
    trouble = f"{watching('troubled')} in trouble: agentos triggers" if watching("troubled") else ""
    parts = plural(watching("servers"), "server"), trouble
    return [("watching", _joined(*parts), "")] if watching("servers") or trouble else []


def _journal(journal: Callable[[str], int], records: str, syncs: str) -> Row:
    queued = f"{journal('queued'):,} to be written" if journal("queued") else ""
    refused = plural(journal("refusals"), "refusal") + " by the disk" if journal("refusals") else ""
    unkept = plural(journal("heads_refused"), "head") + " not kept elsewhere" if journal("heads_refused") else ""
    left = f"{journal('to_recheck'):,} still to be checked" if journal("to_recheck") else ""
    parts = (f"{journal('records'):,} records", size(journal("bytes")), queued, refused, unkept, left)
    return "journal", _joined(*parts), _joined(records, syncs)


def _log(log: Callable[[str], int]) -> list[Row]:
    """A log that is well is not worth a row."""
    return [("log", f"{plural(log('left_out'), 'line')} left out", "")] if log("left_out") else []


def _server(part: str, server: Callable[[str], int]) -> Row:
    state = "up" if server("up") else "not up"
    return part.removeprefix(SERVER), _joined(state, plural(server("restarts"), "restart")), ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
