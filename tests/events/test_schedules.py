"""When timers come: on days of 23 and 25 hours, on leap days, after a time in which nothing could start."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentos.events.schedule import BATCH, LATE_MS, due, following, newest
from agentos.manifest.trigger import Trigger

PARIS = ZoneInfo("Europe/Paris")
DAY = 86_400_000
ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
LINES = ("30 2 * * *", "0 * * * *", "*/15 * * * *", "0 0 1 * *", "0 7 * * 1-5", "30 1,2,3 * * *", "59 23 28-31 * *")


def ms(text: str, zone: ZoneInfo = PARIS, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


def cron(line: str, zone: str = "Europe/Paris", catch_up: str = "last") -> Trigger:
    return Trigger("timer.cron", at=line, tz=zone, catch_up=catch_up)


def shown(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, PARIS).strftime("%m-%d %H:%M %z")


def times(rule: Trigger, start: int, count: int) -> list[int]:
    found: list[int] = []
    for _ in range(count):
        found.append(following(rule, 0, found[-1] if found else start))
    return found


def test_what_falls_into_the_hour_that_spring_skips_comes_right_after_it() -> None:
    found = times(cron("30 2 * * *"), ms("2026-03-27T12:00"), 3)
    assert list(map(shown, found)) == ["03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"]


def test_what_falls_into_the_hour_that_autumn_repeats_comes_once() -> None:
    found = times(cron("30 2 * * *"), ms("2026-10-24T12:00"), 2)
    assert list(map(shown, found)) == ["10-25 02:30 +0200", "10-26 02:30 +0100"]
    again = following(cron("30 2 * * *"), 0, ms("2026-10-25T02:10", fold=1))
    assert shown(again) == "10-26 02:30 +0100"


def test_every_hour_is_every_hour_on_days_of_23_and_25() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)):
        start, end = ms(f"{day}T00:00") - 1, ms(f"{day}T23:59")
        assert sum(at <= end for at in times(cron("0 * * * *"), start, 30)) == hours


def test_a_leap_day_comes_every_fourth_year() -> None:
    found = times(cron("0 12 29 2 *", "UTC"), ms("2026-01-01T00:00"), 3)
    assert [datetime.fromtimestamp(at / 1000, PARIS).year for at in found] == [2028, 2032, 2036]


@given(st.sampled_from(LINES), st.sampled_from(ZONES), st.integers(946_684_800, 4_102_444_800))
@example("30 2 * * *", "Europe/Paris", 1_774_746_000)
@example("30 1,2,3 * * *", "Australia/Lord_Howe", 1_775_314_800)
def test_times_only_go_forward_and_none_is_left_out(line: str, zone: str, at_s: int) -> None:
    rule, start = cron(line, zone), at_s * 1000
    first = following(rule, 0, start)
    assert first > start
    assert following(rule, 0, first - 1) == first
    assert following(rule, 0, (start + first) // 2) == first
    assert start < first <= start + 32 * DAY


@given(st.integers(1_000, 400 * DAY), st.integers(0, 10**13), st.integers(0, 10**13))
def test_every_counts_from_when_it_was_armed(every_ms: int, since: int, after: int) -> None:
    rule = Trigger("timer.every", every_ms=every_ms)
    at = following(rule, since, after)
    assert at > max(since, after)
    assert (at - since) % every_ms == 0
    assert at - max(since, after) <= every_ms
    assert newest(rule, since, at) == at


def test_a_moment_comes_once_and_not_if_it_was_before() -> None:
    rule = Trigger("timer.at", at="2030-01-01T07:00:00+00:00")
    at = ms("2030-01-01T08:00")
    assert following(rule, 0, at - 1) == at
    assert following(rule, 0, at) == 0
    assert due(rule, at - 5, 0, at) == [at]
    assert due(rule, at - 5, at, at + DAY) == []
    assert due(rule, at, 0, at + DAY) == []


# ---- after downtime


@pytest.mark.parametrize("rule", [cron("0 * * * *"), Trigger("timer.every", every_ms=3_600_000)])
def test_after_downtime_the_rule_says_what_is_made_up_for(rule: Trigger) -> None:
    armed, now = ms("2026-06-01T00:00"), ms("2026-06-01T05:30")
    hours = [ms(f"2026-06-01T0{hour}:00") for hour in range(1, 6)]
    told = {each: due(_with(rule, each), armed, hours[0], now) for each in ("last", "all", "none")}
    assert told == {"last": [hours[4]], "all": hours[1:], "none": []}


def _with(rule: Trigger, catch_up: str) -> Trigger:
    return Trigger(rule.event, at=rule.at, tz=rule.tz, every_ms=rule.every_ms, catch_up=catch_up)


def test_what_is_a_moment_late_was_not_missed() -> None:
    rule = Trigger("timer.every", every_ms=3_600_000, catch_up="none")
    assert due(rule, 0, 0, 3_600_000 + LATE_MS) == [3_600_000]
    assert due(rule, 0, 0, 3_600_001 + LATE_MS) == []


def test_a_year_that_was_missed_is_made_up_for_in_batches() -> None:
    rule, last, count = cron("*/5 * * * *", "UTC", "all"), 0, 0
    now = BATCH * 3 * 300_000
    while found := due(rule, 0, last, now):
        assert len(found) <= BATCH
        count, last = count + len(found), found[-1]
    assert count == BATCH * 3


def test_the_newest_of_ten_years_is_found_at_once() -> None:
    now = ms("2036-06-01T00:00")
    assert due(cron("* * * * *", "UTC"), 0, 0, now) == [now]


def test_a_clock_that_jumps_back_brings_nothing_twice() -> None:
    rule = Trigger("timer.every", every_ms=1_000)
    assert due(rule, 0, 50_000, 20_000) == []
    assert due(rule, 0, 50_000, 51_000) == [51_000]


def test_the_day_the_clock_goes_back_is_one_day() -> None:
    at = following(cron("0 12 * * *"), 0, ms("2026-10-24T12:00"))
    assert at - ms("2026-10-24T12:00") == timedelta(hours=25) / timedelta(milliseconds=1)
