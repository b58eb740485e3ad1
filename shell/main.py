"""agentos: the command line. Only what it takes to read the command is loaded before the command itself."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    Group,
    MissingArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)

from agentos.shell import again
from agentos.shell.failure import Exit, Failure
from agentos.shell.text import quoted

PROGRAMS = Group.create_ordered("Programs")
EVENTS = Group.create_ordered("What starts them")
AUTHORITY = Group.create_ordered("What they may do")
KERNEL = Group.create_ordered("The kernel")
COMMANDS = (
    (PROGRAMS, "run", "running:run", "Run a program under its manifest, and follow it to its end."),
    (PROGRAMS, "explain", "explaining:explain", "Say in plain words what a program may ask."),
    (PROGRAMS, "manifest", "explaining:manifest", "Write the manifest that a run turned out to need."),
    (PROGRAMS, "ps", "looking:ps", "List runs."),
    (PROGRAMS, "show", "looking:show", "Show one run and every call it made."),
    (PROGRAMS, "why", "looking:why", "Say why a call was refused or allowed."),
    (PROGRAMS, "follow", "running:follow", "Follow a run that is under way."),
    (PROGRAMS, "settle", "looking:settle", "Say what became of a call that was cut off."),
    (PROGRAMS, "cancel", "looking:cancel", "Cancel a run."),
    (PROGRAMS, "forget", "keeping:forget", "Erase what a run was given, did and said."),
    (PROGRAMS, "prune", "keeping:prune", "Forget old runs, and give their room back."),
    (PROGRAMS, "export", "keeping:export", "Write a run into a file that a bug report can carry."),
    (EVENTS, "arm", "events:arm", "Let what its manifest names start a program."),
    (EVENTS, "disarm", "events:disarm", "End what arm began."),
    (EVENTS, "triggers", "events:triggers", "List what starts programs; turn it on and off."),
    (EVENTS, "timers", "events:timers", "List the times that come next."),
    (EVENTS, "events", "events:events", "Send an event; list those that wait or were given up."),
    (AUTHORITY, "inbox", "authority:inbox", "List the questions that wait for you."),
    (AUTHORITY, "approve", "authority:approve", "Answer a question."),
    (AUTHORITY, "deny", "authority:deny", "Answer a question with no."),
    (AUTHORITY, "grants", "authority:grants", "List what programs are allowed."),
    (AUTHORITY, "revoke", "authority:revoke", "Take back a grant."),
    (AUTHORITY, "audit", "audit:audit", "Look at the record of everything, and check it."),
    (AUTHORITY, "secrets", "secrets:secrets", "Keep what programs may use and never see."),
    (KERNEL, "init", "system:init", "Make a home, and choose how its key is kept."),
    (KERNEL, "keys", "keys:keys", "List and change the ways of unlocking the home."),
    (KERNEL, "backup", "backup:backup", "Write all of the home into one encrypted file."),
    (KERNEL, "restore", "backup:restore", "Make a home of a backup."),
    (KERNEL, "up", "system:up", "Start the kernel."),
    (KERNEL, "down", "system:down", "Stop the kernel."),
    (KERNEL, "lock", "locking:lock", "Have the kernel forget the key."),
    (KERNEL, "unlock", "locking:unlock", "Bring a locked kernel its key."),
    (KERNEL, "service", "service:service", "Keep the kernel always on."),
    (KERNEL, "capabilities", "system:capabilities", "List, add or remove capabilities."),
    (KERNEL, "top", "top:top", "Show how much the kernel has to do."),
    (KERNEL, "doctor", "system:doctor", "Try every wall of this machine."),
)
HELP = "Run the programs that your agent writes, and let each touch only what you allowed."
MORE = "agentos COMMAND --help says more. Every command takes --json, --home PATH and --on ssh://HOST."
_PR_SET_DUMPABLE = 4
# A command makes objects by loading modules, which stay: to look through them again and again finds nothing.
ALLOCATED = 100_000
GLOBALS = {"--json": 1, "--on": 2, "--home": 2}


def application(called: str = "") -> App:
    """The commands by name; each is imported when it is called, and then says more than its one line here."""
    app = App(
        name="agentos", help=HELP, version=_version, help_format="plaintext", help_epilogue=MORE,
        suppress_keyboard_interrupt=False,
    )  # fmt: skip
    for place, (group, name, where, about) in enumerate(COMMANDS):
        options = {} if name == called else {"help": about}
        path = f"agentos.shell.commands.{where}"
        app.command(path, name=name, group=group, sort_key=place, help_epilogue="", **options)
    app["--help"].show = app["--version"].show = False
    app.command("agentos.shell.commands.system:where", name="where", show=False)
    return app


def _version() -> str:
    from importlib.metadata import version

    return f"agentos {version('agentos-kernel')}"


def ordered(tokens: Sequence[str]) -> list[str]:
    """Global options before the command's name, moved behind it: `agentos --json ps` is `agentos ps --json`."""
    at = 0
    while at < len(tokens) and (taken := GLOBALS.get(tokens[at].partition("=")[0])):
        at += 1 if "=" in tokens[at] else taken
    return [*tokens[at : at + 1], *tokens[:at], *tokens[at + 1 :]]


def run(tokens: Sequence[str]) -> int:
    """Run one command line; returns its exit code."""
    again.remember(tokens, [name for _, name, _, _ in COMMANDS])
    try:
        line = ordered(tokens)
        result = application(*line[:1])(line, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return result if isinstance(result, int) else Exit.DONE
    except CycloptsError as wrong:
        return _fail(_wrong(wrong, tokens), tokens)
    except Failure as failed:
        return _fail(failed, tokens)
    except KeyboardInterrupt:
        return _fail(Failure("interrupted", exit_code=Exit.FAILED, code="unavailable"), tokens)
    except BrokenPipeError:
        sys.stderr.close()
        return Exit.FAILED
    except UnicodeEncodeError as wrong:  # bytes of an argument, or of a folder's name, that are no text
        reason = f"{quoted(wrong.object, 200)} is not UTF-8 text"
        return _fail(Failure(reason, "rename it, or write it in UTF-8"), tokens)
    except OSError as wrong:
        return _fail(_machine(wrong), ())


def _machine(wrong: OSError) -> Failure:
    """What this machine did not let us do: a full disk under our output, a working folder that is gone."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return Failure("the folder you are in is not there any more", "go to another one: cd", Exit.USAGE)
    where = f": {wrong.filename}" if isinstance(wrong.filename, str) else ""
    return Failure(f"{wrong.strerror or wrong}{where}", "agentos cannot go on like that", Exit.FAILED, "unavailable")


def _wrong(wrong: CycloptsError, tokens: Sequence[str]) -> Failure:
    """What is wrong with the command line, in one line, and where to read on."""
    names = [name for _, name, _, _ in COMMANDS]
    if not isinstance(wrong, UnknownCommandError):
        command = next((token + " " for token in tokens if token in names), "")
        return Failure(_said(wrong, command.strip()), f"see: agentos {command}--help")
    given = ordered(tokens)[0]
    near = get_close_matches(given, names, 1)
    return Failure(
        f"there is no command {quoted(given)}", f"did you mean: agentos {near[0]}" if near else "see: agentos --help"
    )


def _said(wrong: CycloptsError, command: str) -> str:
    """What is wrong, in our words where the library's would name its own parts."""
    match wrong:
        case MissingArgumentError(argument=argument) if argument is not None:
            return f"{argument.name} needs a value" if argument.name[0] == "-" else f"{command} needs {argument.name}"
        case CoercionError(argument=argument, token=token, target_type=kind) if argument and token:
            if kind in (int, float):
                whole = "a whole number" if kind is int else "a number"
                return f"{argument.name} is {whole}, and {quoted(token.value, 40)} is none"
        case UnusedCliTokensError(unused_tokens=tokens) if tokens:
            return f"{command} does not take {quoted(' '.join(tokens))}"
    return " ".join(str(wrong).split())


def _fail(failed: Failure, tokens: Sequence[str]) -> int:
    failed.hint = again.again(failed.hint)
    if "--json" in tokens:
        sys.stdout.write(json.dumps({"error": failed.fields}) + "\n")
    else:
        from agentos.shell.paint import coloured, paint

        sys.stderr.write(paint(failed.shown, "red", on=coloured(sys.stderr)) + "\n")
    return failed.exit_code


def main() -> None:
    """The console script."""
    gc.set_threshold(ALLOCATED)
    _unreadable()
    _stand_in()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        code = run(sys.argv[1:])
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else Exit.FAILED
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # Without the interpreter's own end: a lock that one of grpc's threads holds then can make it wait forever.
    os._exit(code)


def _unreadable() -> None:
    """Passphrases, recovery keys and credentials pass through here: no core, and no look into our memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _stand_in() -> None:
    """Whoever closed one of the three streams gets none of it; a file of ours must not take its place."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, hence this one
            setattr(sys, name, open(descriptor, "w" if descriptor else "r", encoding="utf-8"))  # noqa: SIM115  it stays open to the end


def _stop(number: int, frame: object) -> None:
    """Leave in order: what this command started is stopped too."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
