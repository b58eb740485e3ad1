"""docs/cli.md, written from the commands' own help: `python -m agentos.shell.manual` prints it; a test compares."""

from __future__ import annotations

import io

from rich.console import Console

from agentos.shell import main

TOP = """\
# The command line

Written from the commands' own help by `python -m agentos.shell.manual`; a test keeps it true.

## Exit codes

| code | what it means |
|--:|---|
| 0 | done |
| 1 | the program failed, or was cancelled |
| 2 | the command line, the manifest or the program is wrong |
| 3 | the program ended at a refusal; with `--strict`, any call was refused |
| 4 | a limit was reached |
| 5 | there is no kernel to talk to, and none could be started |

## What `--json` prints

One value on standard output, errors included: `{"error": {"code", "message", "hint"}}`. Times are milliseconds since
1970 UTC, durations and `timings_us` microseconds.

| command | value |
|---|---|
| `run` | `{run, status, result, output, error, calls, refused, timings_us: {queued, cell, first_line, ended}}` |
| `show` | the same with `program`, `path`, `digest`, and `calls` as a list |
| `why` | a list of calls |
| `ps` | runs without `result`, `output`, with `parent`, `waits_for`; `--unknown`: calls with `run` and `program` |
| `audit` | `show`: a list of `{seq, at_ms, kind, program, text}`; `verify`: `{ok, …}`; `head`: `{home, head}` |
| `explain` | `{name, path, digest, has_manifest, lines, covered, triggers, limits}` |
| `grants` | a list of `{id, program, action, bounds, terms, uses, last_used, state}` |
| `secrets` | a list of `{name, places, header, form, set, last_used}`; with `set` one of them, with `replaced` |
| `arm` | `{program, triggers}`: the program as in `explain`, and its triggers |
| `triggers` | a list of `{program, path, digest, armed, paused, failures, waiting, runs, triggers}` |
| `timers` | a list of triggers with `program`, soonest first |
| `events` | a list of `{id, event, trigger, program, path, at, run, tries, after}`; or `{id, duplicate}` |
| `inbox` | a list of `{id, run, program, path, review, why, asked, digest, lines}` |
| `service` | `{name, home, path, file, missing, state}`; `install`: `{name, file, written, running, missing, hint}` |
| `doctor` | `{walls: [{name, about, held, note}], kernel: {pid, version, home}, guest: {path, digest, imports}}` |

A call is `{seq, action, target, targets, decision, grant, digest, started, duration_us, line, error, reasons}`.
A trigger is `{id, enabled, next, last, event, at, tz, every_ms, filter, debounce_ms, concurrency, catch_up, retries}`.
`status` is `active`, `waiting`, `done`, `failed`, `refused`, `limit` or `cancelled`. `error` is null or
`{code, message, hint}`; its code is one of `denied`, `needs_approval`, `not_found`, `limit`, `unavailable`, `invalid`.
`queued` is when the kernel accepted the run, `first_line` when its cell began the program.

## Questions

A question is put at the terminal, where standard input and standard error are one; everywhere else it is a no, unless
`--ask wait` leaves it in the inbox. What was typed before a question was shown is thrown away, Enter alone asks again,
and the end of input is a no. Text from programs is shown with its control, bidirectional and zero-width characters
spelled out, and only questions of the kernel are ever in colour.

## The environment

| variable | what it says |
|---|---|
| `AGENTOS_HOME` | the home's folder, where `--home` does not say it |
| `AGENTOS_STATE` | the folder where the heads of homes are kept, away from them ([audit.md](audit.md)) |
| `AGENTOS_PASSPHRASE` | what opens the home, for scripts; taken out of the environment at once |
| `AGENTOS_NEW_PASSPHRASE` | the passphrase that `agentos keys add` or `change` sets |
| `AGENTOS_NET_RESOLVER` | a name server, HOST:PORT, in place of the system's; for a kernel that starts |
| `AGENTOS_NET_CA` | a PEM file of certificates to trust beside the system's; for a kernel that starts |
| `NO_COLOR` | no colours |
"""


def page() -> str:
    """The whole page."""
    parts = [TOP, "## The commands", "", _fenced([])]
    for _, name, _, _ in main.COMMANDS:
        parts += [f"### agentos {name}", "", _fenced([name])]
    return "\n".join(parts)


def _fenced(command: list[str]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=False, no_color=True, highlight=False)
    main.application(*command).help_print(command, console=console)
    shown = "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())
    return f"```text\n{shown}\n```\n"


if __name__ == "__main__":
    print(page(), end="")
