"""Keys: one random key per home, wrapped once for each way of unlocking it.

The home key never lies on disk in the clear. Each slot of `unlock.json` holds it sealed by XChaCha20-Poly1305 under the
slot's own wrapping key, with the slot's kind and the home's id as associated data, so that a slot fits one home and one
kind only. What a slot needs besides is public: a salt, the cost of Argon2id, the path of a key file.

    keyring      a random key in this device's keyring
    passphrase   Argon2id over the passphrase
    key-file     a random key in a file outside the home
    recovery     a random key that is shown once, on paper

What the kernel works with are sub-keys of the home key, one per purpose, by keyed BLAKE2b.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import unicodedata
from hashlib import blake2b
from pathlib import Path

import msgspec
from nacl import bindings, exceptions, pwhash

KEY_BYTES = 32
NONCE_BYTES = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
# Above libsodium's "interactive" cost; about a quarter of a second. Recorded in the slot, so it can be raised later.
ARGON_OPS, ARGON_MEMORY = 3, 128 << 20
MAX_ARGON_OPS, MAX_ARGON_MEMORY = 32, 2 << 30
KEYRING_SERVICE = "agentos"
RECOVER = "set AGENTOS_PASSPHRASE to the recovery key"
# Crockford's base32: nothing in it is mistaken for something else on paper.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MISREAD = str.maketrans("OIL", "011")
CHECK_BYTES = 3


class HomeError(Exception):
    """The home cannot be used. `code` is for programs, `reason` and `hint` (the next step) are for the person."""

    def __init__(self, code: str, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.hint = code, reason, hint


class Slot(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One way to unlock a home. Byte fields are base64; `ops` and `memory` (bytes) are the cost of Argon2id."""

    kind: str
    wrapped: bytes
    salt: bytes = b""
    ops: int = 0
    memory: int = 0
    path: str = ""


class Keys(msgspec.Struct, frozen=True):
    """The sub-keys of a home, 32 bytes each.

    Of the database, the image cache, the servers of this boot, backups; seeds to sign with, and to seal events for.
    """

    database: bytes
    images: bytes
    boot: bytes
    signing: bytes
    backup: bytes
    events: bytes

    def __repr__(self) -> str:
        return "Keys(…)"


def derive(home_key: bytes) -> Keys:
    def purpose(name: str) -> bytes:
        return blake2b(f"agentos 1 {name}".encode(), key=home_key, digest_size=KEY_BYTES).digest()

    return Keys(*(purpose(name) for name in ("database", "images", "boot", "signing", "backup", "events")))


def wrap(home_key: bytes, wrapping: bytes, kind: str, home: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(home_key, _bound(kind, home), nonce, wrapping)
    return nonce + sealed


def unwrap(slot: Slot, wrapping: bytes, home: str) -> bytes | None:
    """The home key, or None where this is not the key of the slot."""
    nonce, sealed = slot.wrapped[:NONCE_BYTES], slot.wrapped[NONCE_BYTES:]
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, _bound(slot.kind, home), nonce, wrapping)
    except (exceptions.CryptoError, exceptions.ValueError, ValueError):
        return None


def _bound(kind: str, home: str) -> bytes:
    return f"agentos home 1\0{kind}\0{home}".encode()


# Passphrase.


def passphrase_slot(home_key: bytes, home: str, passphrase: str) -> Slot:
    if not passphrase:
        raise HomeError("passphrase_needed", "a passphrase was chosen, and none was given", "type one")
    salt = secrets.token_bytes(pwhash.argon2id.SALTBYTES)
    key = _stretched(passphrase, salt, ARGON_OPS, ARGON_MEMORY)
    return Slot("passphrase", wrap(home_key, key, "passphrase", home), salt, ARGON_OPS, ARGON_MEMORY)


def passphrase_key(slot: Slot, passphrase: str) -> bytes:
    sane = len(slot.salt) == pwhash.argon2id.SALTBYTES
    if not sane or not 0 < slot.ops <= MAX_ARGON_OPS or not 8192 <= slot.memory <= MAX_ARGON_MEMORY:
        raise HomeError(
            "broken", "unlock.json asks for a cost that nobody would have chosen", "restore it from a backup"
        )
    return _stretched(passphrase, slot.salt, slot.ops, slot.memory)


def _stretched(passphrase: str, salt: bytes, ops: int, memory: int) -> bytes:
    # One spelling, whichever keyboard typed it.
    typed = unicodedata.normalize("NFKC", passphrase).encode()
    try:
        return pwhash.argon2id.kdf(KEY_BYTES, typed, salt, opslimit=ops, memlimit=memory)
    except exceptions.RuntimeError:
        raise HomeError("limit", f"there are no {memory >> 20} MiB of memory for the passphrase", "free some") from None


# Key file.


def key_file_slot(home_key: bytes, home: str, path: Path) -> Slot:
    """Make the key file, which must not exist yet."""
    key = secrets.token_bytes(KEY_BYTES)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise HomeError("exists", f"the key file is there already: {path}", "choose a path that is free") from None
    except OSError:
        raise HomeError(
            "unavailable", f"the key file cannot be made: {path}", "choose a folder you can write to"
        ) from None
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Slot("key-file", wrap(home_key, key, "key-file", home), path=str(path))


def key_file_key(slot: Slot) -> bytes:
    try:
        with open(slot.path, "rb") as file:
            found = os.fstat(file.fileno())
            text = file.read(KEY_BYTES * 2 + 2)
    except OSError:
        raise HomeError(
            "no_key_file", f"the key file cannot be read: {slot.path}", f"bring it back, or {RECOVER}"
        ) from None
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & 0o077:
        raise HomeError("open_to_others", f"others can read the key file: {slot.path}", f"chmod 600 {slot.path}")
    try:
        return bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        raise HomeError("broken", f"this is not a key file: {slot.path}", f"bring it back, or {RECOVER}") from None


def key_file_text(text: str) -> bytes | None:
    """The key in what stands in a key file, for a home whose key file is elsewhere; None where it is none."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


# Keyring.

NO_KEYRING = "this device's keyring cannot be used"
INSTEAD = "use a passphrase or a key file instead: --passphrase, --key-file PATH"


def has_keyring() -> bool:
    """Whether this device has a keyring at all; that it can be opened shows when it is used."""
    import keyring

    try:
        return bool(keyring.get_keyring().priority >= 1)
    except Exception:  # noqa: BLE001 (as below)
        return False


def keyring_slot(home_key: bytes, home: str) -> Slot:
    import keyring

    key = secrets.token_bytes(KEY_BYTES)
    try:
        keyring.set_password(KEYRING_SERVICE, home, key.hex())
        kept = keyring.get_password(KEYRING_SERVICE, home)
    except Exception:  # noqa: BLE001 (each backend fails in its own way: no bus, locked, cancelled, none at all)
        raise HomeError("no_keyring", NO_KEYRING, INSTEAD) from None
    if kept != key.hex():  # the null backend takes everything and keeps nothing
        raise HomeError("no_keyring", "this device's keyring does not keep what it is given", INSTEAD)
    return Slot("keyring", wrap(home_key, key, "keyring", home))


def keyring_key(home: str) -> bytes:
    import keyring

    try:
        kept = keyring.get_password(KEYRING_SERVICE, home)
    except Exception:  # noqa: BLE001 (as above)
        raise HomeError("no_keyring", NO_KEYRING, f"unlock it, or {RECOVER}") from None
    try:
        return bytes.fromhex(kept or "-")
    except ValueError:
        raise HomeError("no_keyring", "this device's keyring has no key of this home", RECOVER) from None


def forget_keyring(home: str) -> None:
    """Take the key of a home out of this device's keyring, if it can be had; it opens nothing any more."""
    import keyring

    with contextlib.suppress(Exception):
        keyring.delete_password(KEYRING_SERVICE, home)


# Recovery.


def recovery_slot(home_key: bytes, home: str) -> tuple[Slot, str]:
    """The slot, and the recovery key as the person writes it down."""
    key = secrets.token_bytes(KEY_BYTES)
    return Slot("recovery", wrap(home_key, key, "recovery", home)), recovery_text(key)


def recovery_text(key: bytes) -> str:
    """Fourteen groups of four: 32 bytes and a checksum of 3."""
    number = int.from_bytes(key + _check(key), "big")
    letters = "".join(ALPHABET[number >> shift & 31] for shift in range(275, -1, -5))
    return "-".join(letters[at : at + 4] for at in range(0, 56, 4))


def recovery_key(text: str) -> bytes | None:
    """The key in what the person typed, however it is spaced; None where it is none, or mistyped."""
    letters = [letter for letter in text.upper().translate(MISREAD) if letter.isalnum()]
    if len(letters) != 56 or not all(letter in ALPHABET for letter in letters):
        return None
    number = 0
    for letter in letters:
        number = number << 5 | ALPHABET.index(letter)
    raw = number.to_bytes(KEY_BYTES + CHECK_BYTES, "big")
    key, check = raw[:KEY_BYTES], raw[KEY_BYTES:]
    return key if check == _check(key) else None


def _check(key: bytes) -> bytes:
    return blake2b(b"agentos recovery 1" + key, digest_size=CHECK_BYTES).digest()


def home_id() -> str:
    """A random name of a home: it tells slots, keyring entries and runtime folders of two homes apart."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()
