"""Refusals and failures as a plain script knows them: `PermissionError`, `FileNotFoundError`, `IsADirectoryError` …

Each is a subclass of Python's own class under the same name, so that `except PermissionError` catches it, and of the
SDK's class, so that it still has its reason and its next step. Its text is ours: the error numbers of WASI mean other
things elsewhere ("Errno 2" would read as a missing file).
"""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Any, NoReturn

from agentos.sdk import wire
from agentos.sdk.errors import AgentError, Denied, Invalid, LimitExceeded, NeedsApproval, NotFound, Unavailable


def _named(name: str, *bases: type) -> Any:
    return type(name, bases, {"__module__": "builtins", "__doc__": bases[0].__doc__})


class _Plain(AgentError):
    code = "invalid"


_Denied = _named("PermissionError", Denied)
_NeedsApproval = _named("PermissionError", NeedsApproval)
_NotFound = _named("FileNotFoundError", NotFound)
_Limit = _named("OSError", LimitExceeded)
_Unavailable = _named("OSError", Unavailable)
_Invalid = _named("OSError", _Plain, OSError)
_Value = _named("ValueError", Invalid)
_Exists = _named("FileExistsError", _Plain, FileExistsError)
_IsFolder = _named("IsADirectoryError", _Plain, IsADirectoryError)
_NotFolder = _named("NotADirectoryError", _Plain, NotADirectoryError)
_Unreachable = _named("ConnectionError", Unavailable, ConnectionError)
_Timeout = _named("TimeoutError", Unavailable, TimeoutError)
_NoHost = _named("gaierror", NotFound, socket.gaierror)
_NoName = _named("gaierror", Unavailable, socket.gaierror)
_BadTls = _named("SSLCertVerificationError", Unavailable, ssl.SSLCertVerificationError)

# How the net capability says it (its `detail`), and how a socket would; -2 and -3 are EAI_NONAME and EAI_AGAIN.
_BY_WORD: dict[tuple[str, str], tuple[Any, int]] = {
    ("not_found", "no_name"): (_NoHost, -2),
    ("unavailable", "no_name"): (_NoName, -3),
    ("unavailable", "timeout"): (_Timeout, errno.ETIMEDOUT),
    ("unavailable", "tls"): (_BadTls, 1),
    ("unavailable", "other_host"): (_BadTls, 1),
}
_BROKEN = _Unreachable, errno.ECONNRESET

_BY_CODE = {
    "denied": _Denied,
    "needs_approval": _NeedsApproval,
    "not_found": _NotFound,
    "limit": _Limit,
    "unavailable": _Unavailable,
}
_BY_DETAIL: dict[str, tuple[Any, int]] = {
    "exists": (_Exists, errno.EEXIST),
    "is_folder": (_IsFolder, errno.EISDIR),
    "not_folder": (_NotFolder, errno.ENOTDIR),
    "not_empty": (_Invalid, errno.ENOTEMPTY),
    "link": (_Invalid, errno.ELOOP),
    "not_regular": (_Invalid, errno.EINVAL),
    "too_large": (_Invalid, errno.EFBIG),
    "bad_name": (_Invalid, errno.EINVAL),
}


def plainly(error: AgentError, path: str = "") -> BaseException:
    """The same failure as a plain script expects it."""
    if error.code == "invalid":
        kind, number = _BY_DETAIL.get(error.detail, (_Invalid, errno.EINVAL))
    else:
        kind, number = _BY_CODE[error.code], getattr(error, "errno", None) or errno.EIO
    plain: Any = kind(error.reason, error.hint, error.detail)
    plain.errno, plain.strerror = number, error.reason
    if path:
        plain.filename = path
    return plain  # type: ignore[no-any-return]


def of_network(error: AgentError) -> Any:
    """The same failure as a script expects it that has a connection: what is not there is one that breaks."""
    if error.code not in ("not_found", "unavailable"):
        return plainly(error)
    kind, number = _BY_WORD.get((error.code, error.detail), _BROKEN)
    plain = kind(error.reason, error.hint, error.detail)
    plain.errno, plain.strerror = number, error.reason
    return plain


def as_well(kind: type[Exception]) -> dict[type, Any]:
    """For each kind of plain failure one that `except kind` catches too, under that name."""
    plain = [*_BY_CODE.values(), *(each for each, _ in [*_BY_DETAIL.values(), *_BY_WORD.values()])]
    made = {each: _named(kind.__name__, each, kind) for each in [*plain, _Invalid, _Unreachable]}
    for each in made.values():
        each.__module__ = kind.__module__
    return made


def ask(action: str, path: str = "", /, **args: Any) -> dict[str, Any]:
    """Make a call for the standard library; what goes wrong is raised as a plain script expects it."""
    try:
        return wire.call(action, args)
    except AgentError as error:
        failed = plainly(error, path)
    raise failed


def refuse(reason: str, hint: str = "", path: str = "") -> NoReturn:
    """Refuse here, without a call: what is asked for exists in no grant."""
    refused = plainly(Denied(reason, hint), path)
    raise refused


def fail(detail: str, reason: str, path: str = "", hint: str = "") -> NoReturn:
    """Fail by one of the words of error.proto."""
    failed = plainly(NotFound(reason, hint) if detail == "not_found" else Invalid(reason, hint, detail), path)
    raise failed


def os_error(number: int, reason: str, path: str = "") -> OSError:
    """An OSError with a number and our own text."""
    error: Any = _Invalid(reason)
    error.errno, error.strerror = number, reason
    if path:
        error.filename = path
    return error  # type: ignore[no-any-return]
