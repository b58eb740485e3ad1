"""`ssl`, for programs that open no socket: the server of the net capability speaks TLS, and checks every certificate.

It takes the place of the module that this build of Python lacks, before the standard library is imported: so that
`http.client`, `urllib.request` and the rest have their TLS halves, as they are. What would weaken a check is refused.
"""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any, NoReturn

CHECKED = "certificates are always checked", "leave it out; a host with a certificate of its own is not reached"


class SSLError(OSError):
    """What a program may name in an `except`; the net capability says by itself what went wrong."""


class SSLZeroReturnError(SSLError): ...


class SSLWantReadError(SSLError): ...


class SSLWantWriteError(SSLError): ...


class SSLSyscallError(SSLError): ...


class SSLEOFError(SSLError): ...


class SSLCertVerificationError(SSLError, ValueError): ...


CertificateError = SSLCertVerificationError


class VerifyMode(enum.IntEnum):
    CERT_NONE = 0
    CERT_OPTIONAL = 1
    CERT_REQUIRED = 2


class TLSVersion(enum.IntEnum):
    MINIMUM_SUPPORTED = -2
    SSLv3 = 768
    TLSv1 = 769
    TLSv1_1 = 770
    TLSv1_2 = 771
    TLSv1_3 = 772
    MAXIMUM_SUPPORTED = -1


class Purpose(enum.Enum):
    SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"


CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = VerifyMode
PROTOCOL_TLS = PROTOCOL_SSLv23 = 2
PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 16, 17
OP_ALL = OP_NO_SSLv2 = OP_NO_SSLv3 = OP_NO_TLSv1 = OP_NO_TLSv1_1 = OP_NO_COMPRESSION = 0
HAS_SNI = HAS_TLSv1_2 = HAS_TLSv1_3 = True
HAS_ALPN = False
OPENSSL_VERSION = "none: the net capability speaks TLS"
OPENSSL_VERSION_INFO = 0, 0, 0, 0, 0


def _refuse(reason: str, hint: str) -> NoReturn:
    from agentos.guests.python.shims.failure import refuse

    refuse(reason, hint)


class SSLContext:
    """Settings that are as strict as they ever are. Looser ones are refused, stricter ones are nothing new."""

    post_handshake_auth = None
    options = OP_ALL
    minimum_version = TLSVersion.TLSv1_2
    maximum_version = TLSVersion.MAXIMUM_SUPPORTED
    keylog_filename = None

    def __init__(self, protocol: int = PROTOCOL_TLS_CLIENT) -> None:
        self.protocol = protocol

    @property
    def check_hostname(self) -> bool:
        return True

    @check_hostname.setter
    def check_hostname(self, wanted: object) -> None:
        if not wanted:
            _refuse(*CHECKED)

    @property
    def verify_mode(self) -> VerifyMode:
        return CERT_REQUIRED

    @verify_mode.setter
    def verify_mode(self, wanted: int) -> None:
        if wanted == CERT_NONE:
            _refuse(*CHECKED)

    def wrap_socket(self, sock: Any, *_: Any, **__: Any) -> Any:
        """Let the connection of an HTTPSConnection be one of TLS; there is no other."""
        return sock.secured()

    def load_verify_locations(self, *_: Any, **__: Any) -> NoReturn:
        _refuse("a program brings no certificates", CHECKED[1])

    def load_cert_chain(self, *_: Any, **__: Any) -> NoReturn:
        _refuse("a program brings no certificates", "credentials are secrets of the person, named in the manifest")

    def load_default_certs(self, *_: Any, **__: Any) -> None: ...

    def set_default_verify_paths(self) -> None: ...

    def set_ciphers(self, *_: Any) -> None: ...

    def set_alpn_protocols(self, *_: Any) -> None: ...


def create_default_context(purpose: Purpose = Purpose.SERVER_AUTH, **certificates: Any) -> SSLContext:
    if any(certificates.values()):
        _refuse("a program brings no certificates", CHECKED[1])
    return SSLContext()


_create_default_https_context = create_default_context


def _create_unverified_context(*_: Any, **__: Any) -> NoReturn:
    _refuse(*CHECKED)


def _create_stdlib_context(*_: Any, **__: Any) -> SSLContext:
    return SSLContext()


class SSLSocket:
    """Never made; a type, for those who ask `isinstance`."""


class SSLObject(SSLSocket): ...


class MemoryBIO(SSLSocket): ...


def _no_socket(*_: Any, **__: Any) -> NoReturn:
    _refuse("a program opens no socket", "fetch with net.get(url) of agentos.sdk, urllib.request or requests")


wrap_socket = get_server_certificate = _no_socket


def get_default_verify_paths() -> SimpleNamespace:
    return SimpleNamespace(cafile=None, capath=None)
