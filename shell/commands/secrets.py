"""Secrets: set, list, remove, and test. A value is typed or piped in, and never shown again."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from agentos.shell import trial, values
from agentos.shell.again import again
from agentos.shell.connect import Kernel
from agentos.shell.failure import Exit, Failure
from agentos.shell.paint import emit, say
from agentos.shell.render import table, when
from agentos.shell.session import DEFAULTS, Common, Optional
from agentos.shell.terminal import Unanswered, open_terminal
from agentos.v1 import capability_pb2
from agentos.v1 import control_pb2 as pb
from agentos.v1 import secrets as rules
from agentos.v1.names import BadName
from agentos.v1.patterns import secret_name

LARGEST = 65_536
Verb = Literal["set", "list", "remove", "test"]
For = Annotated[list[str] | None, Parameter(name="--for", negative="", show_default=False)]
What = Annotated[str | None, Parameter(negative="", show_default=False, allow_leading_hyphen=True)]
NEVER_HERE = "a value never stands on the command line: others can read it there, and shells remember it"


def secrets(
    verb: Annotated[Verb, Optional] = "list",
    name: Annotated[str | None, Optional] = None,
    what: What = None,
    /,
    *,
    for_: For = None,
    header: Annotated[str | None, Optional] = None,
    form: Annotated[str | None, Optional] = None,
    common: Common = DEFAULTS,
) -> int:
    """Keep what opens accounts elsewhere, for programs that may use it and never see it.

    A program names a secret in its manifest: "net.fetch" = { host =
    ["api.github.com"], secret = "github" }. Its calls then go out with the
    secret to the places that you named for it, and to no others; where it comes
    back in an answer, a mark stands instead. A value is typed, or piped in, and
    shown by no command. Set again without --for, it keeps the places it has.

    Parameters
    ----------
    verb
        set, list, remove, or test.
    name
        The secret: small letters, digits, dots, dashes, underscores.
    what
        set: - takes the value from standard input; else it is asked for. test: the URL.
    for_
        Where it may go: api.github.com, *.example.com, api.github.com/repos/**. May be repeated.
    header
        The header that carries it; else Authorization.
    form
        The header's text; else "Bearer {secret}". Basic {USER:secret} has both in base64.
    """
    if what and what.startswith("--"):
        raise Failure(f"there is no option {what}", "see: agentos secrets --help")
    if verb == "list":
        return _list(common)
    if not name:
        raise Failure(f"{verb} which secret?", f"agentos secrets {verb} NAME" + " URL" * (verb == "test"))
    if verb == "set":
        return _set(name, what, for_ or [], header or "", form or "", common)
    if verb == "test":
        return _test(name, what or "", common)
    with common.kernel() as kernel:
        kernel.call(kernel.stub.RemoveSecret, pb.RemoveSecretRequest(name=name))
    if not common.answer({"name": name, "removed": True}):
        say(f"removed {name}: nothing of it is left here, and it still opens what it opened until you change it there")
    return 0


def _list(common: Common) -> int:
    with common.kernel() as kernel:
        found = _known(kernel)
    if not common.answer([values.secret(each) for each in found]):
        rows = [
            [each.name, "\n".join(each.places), f"{each.header}: {each.form}", when(each.set_ms),
             when(each.last_used_ms) or "not yet"]
            for each in found
        ]  # fmt: skip
        table(["NAME", "GOES TO", "AS", "SET", "USED"], rows, "no secret yet: agentos secrets set NAME --for HOST")
    return 0


def _known(kernel: Kernel) -> list[pb.SecretInfo]:
    return list(kernel.call(kernel.stub.ListSecrets, pb.ListSecretsRequest()).secrets)


def _set(name: str, what: str | None, places: list[str], header: str, form: str, common: Common) -> int:
    if what not in (None, "-"):
        raise Failure(
            NEVER_HERE, f"agentos secrets set {name} --for HOST asks for it; this one is known now: change it"
        )
    try:
        secret = capability_pb2.Secret(
            name=secret_name(name), places=[str(rules.place(each)) for each in places],
            header=rules.header(header) if header else "", form=rules.form(form) if form else "",
        )  # fmt: skip
    except BadName as bad:
        raise Failure(str(bad), "see: agentos secrets --help") from None
    with common.kernel(make_home=True, runs=True) as kernel:
        if not places:
            _keep_places(kernel, secret)
        secret.value = _value(name, what == "-")
        told = kernel.call(kernel.stub.SetSecret, pb.SetSecretRequest(secret=secret))
    if not common.answer(values.secret(told.secret) | {"replaced": told.replaced}):
        say(f"{name} is set" + (", in place of the one before" if told.replaced else ""))
        for place in told.secret.places:
            say(f"  goes to {place} as {told.secret.header}: {told.secret.form}")
    return 0


def _keep_places(kernel: Kernel, secret: capability_pb2.Secret) -> None:
    before = next((each for each in _known(kernel) if each.name == secret.name), None)
    if before is None:
        raise Failure("where may it go?", f"agentos secrets set {secret.name} --for api.example.com")
    secret.places.extend(before.places)
    secret.form = secret.form or ("" if secret.header else before.form)
    secret.header = secret.header or before.header


def _value(name: str, piped: bool) -> str:
    """The value, from the terminal without echo, or from standard input. Raises Failure without a word of it."""
    terminal = None if piped else open_terminal()
    try:
        if terminal:
            typed = terminal.secret(f"value of {name}, which is not shown > ")
        elif piped or not sys.stdin.isatty():
            typed = sys.stdin.buffer.read(LARGEST).decode().removesuffix("\n").removesuffix("\r")
        else:
            raise Failure("nobody is at a terminal to type the value", f"pipe it in: agentos secrets set {name} -")
        return rules.value(typed)
    except Unanswered:
        raise Failure("nothing was typed, so nothing was set") from None
    except UnicodeDecodeError:
        raise Failure("the value is not text") from None
    except BadName as bad:
        raise Failure(str(bad), "nothing was set") from None


def _test(name: str, url: str, common: Common) -> int:
    to = trial.destination(url)
    with common.kernel() as kernel:
        known = next((each for each in _known(kernel) if each.name == name), None)
        if known is None:
            raise Failure(f"there is no secret {name}", f"agentos secrets set {name} --for {to.host}")
        ended = trial.run(kernel, name, to)
    sent, why = trial.told(known, to)
    status = int(ended.result) if ended.result else None
    told = {"secret": name, "url": str(to), "sent": sent and status is not None, "why": why, "status": status}
    if not common.answer(told | {"run": ended.id, "error": values.error(ended.error)}):
        went = "no" if not sent else "yes" if status is not None else "no answer"
        emit(f"sent      {went}: {why}")
        emit(f"answered  {status}" if status is not None else f"answered  nothing: {ended.error.reason}")
        emit(again(f"recorded  agentos show {ended.id}"))
        if ended.error.hint:
            emit(f"to do     {ended.error.hint}")
    return Exit.DONE if told["sent"] and status is not None and status < 400 else Exit.FAILED
