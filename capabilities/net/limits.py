"""How much one program, and all of them together, may ask of the network: the numbers, and who counts.

A program that is at its own limit is told so at once or waits; the others do not feel it, since their share of what the
home has is larger than what one program can take. Programs are counted by their lineage, so that many runs of one are
one, and a run that ends does not give its program a new bucket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agentos.capabilities.failure import Limit

KIB, MIB, GIB = 2**10, 2**20, 2**30


@dataclass(frozen=True)
class Share:
    """What a program, or the whole home, may have: connections at once, requests that wait for one, answers that are
    open for reading on, requests a second, and how many at once after a rest."""

    open: int
    waiting: int
    handles: int
    a_second: float
    at_once: int


PROGRAM: Final = Share(open=24, waiting=40, handles=16, a_second=50, at_once=200)
HOME: Final = Share(open=96, waiting=64, handles=64, a_second=200, at_once=800)

# ---- time, in seconds
HEAD_S: Final = 30.0  # until the head has come, where the call does not say
HEAD_MOST_S: Final = 50.0  # whatever the call says: the kernel gives a call a minute
NAME_S: Final = 10.0  # of that, until the name has its addresses
CONNECT_S: Final = 10.0  # for each address that is tried
FIRST_S: Final = 20.0  # after the head, until the first reply carries what of the body came
GATHER_S: Final = 0.5  # how long a piece that has begun waits to become a whole one
IDLE_S: Final = 30.0  # without a read, an open answer is closed
WHOLE_S: Final = 300.0  # from the request to the end of its body; then the body is cut

# ---- size, in bytes
PIECE: Final = MIB  # what one reply carries
SEARCHED: Final = 64 * KIB  # what is searched for secrets at a time
BODY: Final = 64 * MIB  # of a body in all, where the call does not say
BODY_MOST: Final = GIB  # whatever it says
HEAD: Final = 64 * KIB  # all that comes before the body, 1xx answers too
FIELDS: Final = 256  # headers of an answer
FRAMED: Final = 8  # a body comes in at most this many times its limit, and a MiB: chunks can be all frame
RATIO: Final = 200  # an answer unpacks to at most this many times its size,
RATIO_FROM: Final = 8 * MIB  # once it is larger than this

# ---- names
ADDRESSES: Final = 64  # of one name; all are checked
TRIED: Final = 4  # of them, one after the other
NAMES_AT_ONCE: Final = 16  # names that the system looks up side by side

PROGRAMS_KNOWN: Final = 1024  # accounts that are kept before the idle ones are dropped


class Bucket:
    """Tokens that come back with time. `now` is a clock in seconds."""

    def __init__(self, share: Share, now: Callable[[], float]) -> None:
        self._share, self._now = share, now
        self._tokens, self._at = float(share.at_once), now()

    def take(self) -> bool:
        now = self._now()
        self._tokens = min(self._share.at_once, self._tokens + (now - self._at) * self._share.a_second)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    @property
    def full(self) -> bool:
        return self._tokens + (self._now() - self._at) * self._share.a_second >= self._share.at_once


class Account:
    """What one program, or the home, has in use. `asked` counts who has a place or waits for one."""

    def __init__(self, share: Share, now: Callable[[], float]) -> None:
        self.share = share
        self.bucket = Bucket(share, now)
        self.places = asyncio.Semaphore(share.open)
        self.asked = 0
        self.handles = 0

    @property
    def idle(self) -> bool:
        return not self.asked and self.bucket.full


class Limits:
    """The accounts of the home and of each program that was at it lately."""

    def __init__(self, now: Callable[[], float] = time.monotonic, program: Share = PROGRAM, home: Share = HOME) -> None:
        self._now, self._program = now, program
        self._home = Account(home, now)
        self._programs: dict[str, Account] = {}

    async def lease(self, program: str, within_s: float) -> Lease:
        """A place for one connection; may wait for it. Raises Limit."""
        own = self._account(program)
        if not own.bucket.take():
            raise Limit(
                f"more than {own.share.a_second:.0f} requests a second by this program", "wait a second", "rate"
            )
        if not self._home.bucket.take():
            raise Limit("all programs together make too many requests", "try again in a second", "rate")
        if own.asked >= own.share.open + own.share.waiting:
            most = own.share.open + own.share.waiting
            raise Limit(f"more than {most} requests of this program at once", "make fewer at once", "connections")
        if self._home.asked >= self._home.share.open + self._home.share.waiting:
            raise Limit("all programs together have too many requests open", "try again later", "connections")
        lease = Lease(own, self._home)
        try:
            async with asyncio.timeout(within_s):
                await lease.take()
        except TimeoutError:
            raise Limit(
                f"{own.share.open} connections of this program are in use",
                "read open answers to their end, or close them",
                "connections",
            ) from None
        return lease

    def _account(self, program: str) -> Account:
        if program not in self._programs and len(self._programs) >= PROGRAMS_KNOWN:
            self._programs = {name: account for name, account in self._programs.items() if not account.idle}
        return self._programs.setdefault(program, Account(self._program, self._now))


class Lease:
    """The place of one connection, in its program's account and the home's, until it is released."""

    def __init__(self, *accounts: Account) -> None:
        self._accounts = accounts
        self._taken: list[Account] = []
        self._kept = False
        for account in accounts:
            account.asked += 1

    async def take(self) -> None:
        try:
            for account in self._accounts:
                await account.places.acquire()
                self._taken.append(account)
        except BaseException:
            self.release()
            raise

    def keep(self) -> None:
        """Count it as an answer that stays open. Raises Limit."""
        for account, whose in zip(self._accounts, ("this program", "all programs"), strict=True):
            if account.handles >= account.share.handles:
                raise Limit(
                    f"{account.share.handles} answers of {whose} are open",
                    "read them to their end, or close them, before the next",
                    "handles",
                )
        for account in self._accounts:
            account.handles += 1
        self._kept = True

    def release(self) -> None:
        """Give everything back; again is no harm."""
        for account in self._taken:
            account.places.release()
        for account in self._accounts:
            account.asked -= 1
            account.handles -= self._kept
        self._accounts, self._taken, self._kept = (), [], False
