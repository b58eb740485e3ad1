"""Every clock. The kit's day is 2026-01-01, 12:00 UTC, and stands still but for what is slept."""

from __future__ import annotations

from tests.guest.probe import fails, works

NOW = "clock.now"
NOON = 1767268800
D = "from datetime import *\n"
A = "import asyncio\n"

PROBES = {
    "time.time": works("import time\nresult = time.time()", NOON, NOW),
    "time_ns": works("import time\nresult = time.time_ns()", NOON * 10**9, NOW),
    "monotonic": works("import time\nresult = 0 < time.monotonic() < time.monotonic() < 1", True, f"{NOW} {NOW}"),
    "monotonic_ns": works("import time\nresult = time.monotonic_ns() > 0", True, NOW),
    "perf_counter": works("import time\nt = time.perf_counter()\nresult = time.perf_counter() - t > 0", True,
                          f"{NOW} {NOW}"),
    "perf_counter_ns": works("import time\nresult = time.perf_counter_ns() > 0", True, NOW),
    "process_time": works("import time\nresult = time.process_time() > 0", True, NOW),
    "process_time_ns": works("import time\nresult = time.process_time_ns() > 0", True, NOW),
    "thread_time": works("import time\nresult = time.thread_time() > 0", True, NOW),
    "clock_gettime": works("import time\nresult = time.clock_gettime(time.CLOCK_REALTIME)", NOON, NOW),
    "clock_gettime_ns": works("import time\nresult = time.clock_gettime_ns(time.CLOCK_MONOTONIC) > 0", True, NOW),
    "clock_gettime of no clock": fails("import time\ntime.clock_gettime(99)", "ValueError: no such clock"),
    "clock_getres": works("import time\nresult = time.clock_getres(time.CLOCK_REALTIME)", 0.001),
    "get_clock_info": works("import time\nresult = [time.get_clock_info('time').adjustable, "
                            "time.get_clock_info('monotonic').monotonic]", [True, True]),
    "localtime": works("import time\nt = time.localtime()\nresult = [t.tm_year, t.tm_hour, t.tm_zone, t.tm_gmtoff]",
                       [2026, 12, "UTC", 0], NOW),
    "localtime of a time": works("import time\nresult = list(time.localtime(0))", [1970, 1, 1, 0, 0, 0, 3, 1, 0], NOW),
    "gmtime": works("import time\nresult = time.gmtime().tm_hour", 12, NOW),
    "gmtime of a time": works("import time\nresult = time.gmtime(0).tm_year", 1970),
    "mktime": works("import time\nresult = time.mktime((2026, 1, 1, 12, 0, 0, 0, 0, -1))", NOON, NOW),
    "ctime": works("import time\nresult = time.ctime()", "Thu Jan  1 12:00:00 2026", NOW),
    "asctime": works("import time\nresult = time.asctime()", "Thu Jan  1 12:00:00 2026", NOW),
    "strftime": works("import time\nresult = time.strftime('%Y-%m-%d %H:%M:%S %Z %%')", "2026-01-01 12:00:00 UTC %",
                      NOW),
    "strftime of a time": works("import time\nresult = time.strftime('%d %b %Y', time.gmtime(0))", "01 Jan 1970"),
    "strptime": works("import time\nresult = time.strptime('2026-03-04', '%Y-%m-%d').tm_yday", 63),
    "time.timezone": works("import time\nresult = [time.timezone, time.daylight, list(time.tzname)]",
                           [0, 0, ["UTC", "UTC"]]),
    "sleep": works("import time\ntime.sleep(1.5)\nresult = time.time() - 1767268800", 1.5, f"clock.sleep {NOW}"),
    "sleep of nothing": works("import time\ntime.sleep(0)", None),
    "sleep backwards": fails("import time\ntime.sleep(-1)", "ValueError: sleep length must be non-negative"),
    "sleep of days": works("import time\ntime.sleep(100000)", None, "clock.sleep clock.sleep"),
    "datetime.now": works(D + "result = datetime.now().isoformat()", "2026-01-01T12:00:00", NOW),
    "datetime.now with a zone": works(D + "result = datetime.now(timezone.utc).isoformat()",
                                      "2026-01-01T12:00:00+00:00", NOW),
    "datetime.today": works(D + "result = datetime.today().hour", 12, NOW),
    "datetime.utcnow": works(D + "result = datetime.utcnow().isoformat()", "2026-01-01T12:00:00", NOW),
    "date.today": works(D + "result = str(date.today())", "2026-01-01", NOW),
    "fromtimestamp": works(D + "result = str(datetime.fromtimestamp(0))", "1970-01-01 00:00:00", NOW),
    "fromtimestamp, utc": works(D + "result = str(datetime.fromtimestamp(0, timezone.utc))",
                                "1970-01-01 00:00:00+00:00"),
    "date.fromtimestamp": works(D + "result = str(date.fromtimestamp(0))", "1970-01-01", NOW),
    "timestamp": works(D + "result = datetime(2026, 1, 1, 12).timestamp()", NOON, NOW),
    "timestamp, utc": works(D + "result = datetime(1970, 1, 1, tzinfo=timezone.utc).timestamp()", 0),
    "astimezone": works(D + "result = str(datetime(2026, 1, 1).astimezone())", "2026-01-01 00:00:00+00:00", NOW),
    "a subclass": works(D + "class D(datetime): pass\nresult = type(D.now()).__name__", "D", NOW),
    "datetime.strftime": works(D + "result = datetime(2026, 1, 2, tzinfo=timezone.utc).strftime('%A %z %j')",
                               "Friday +0000 002"),
    "datetime.strptime": works(D + "result = str(datetime.strptime('3 Mar 2026', '%d %b %Y'))", "2026-03-03 00:00:00"),
    "fromisoformat": works(D + "result = datetime.fromisoformat('2026-01-01T00:00:00Z').year", 2026),
    "copied and pickled": works(D + "import copy, pickle\nd = datetime(2026, 1, 1)\n"
                                "result = copy.deepcopy(d) == pickle.loads(pickle.dumps(d))"),
    "zoneinfo": works(D + "from zoneinfo import ZoneInfo\n"
                      "result = str(datetime(2026, 7, 1, tzinfo=timezone.utc).astimezone(ZoneInfo('Europe/Berlin')))",
                      "2026-07-01 02:00:00+02:00"),
    "zoneinfo of no zone": fails("import zoneinfo\nzoneinfo.ZoneInfo('Mars/Olympus')",
                                 "ZoneInfoNotFoundError: 'No time zone found with key Mars/Olympus'"),
    "available_timezones": works("import zoneinfo\nresult = len(zoneinfo.available_timezones()) > 400"),
    "calendar": works("import calendar\nresult = calendar.monthrange(2026, 2)[1]", 28),
    "calendar of text": works("import calendar\nresult = len(calendar.TextCalendar().formatmonth(2026, 2)) > 50"),
    "email.utils": works("import email.utils\nresult = email.utils.formatdate()", "Thu, 01 Jan 2026 12:00:00 -0000",
                         NOW),
    "timeit": works("import timeit\nresult = timeit.timeit('1 + 1', number=10) >= 0", True, f"{NOW} {NOW}"),
    "sched": works("import sched\ns = sched.scheduler()\ns.enter(2, 1, lambda: None)\ns.run()\nresult = 1", 1,
                   "clock.now clock.now clock.sleep clock.now"),
    "asyncio.run": works(A + "async def f(): return 5\nresult = asyncio.run(f())", 5),
    "asyncio.sleep": works(A + "async def f(): await asyncio.sleep(1)\nasyncio.run(f())", None, "clock.sleep"),
    "asyncio.gather": works(A + "async def f(n): await asyncio.sleep(n); return n\nasync def g(): return await "
                            "asyncio.gather(f(2), f(1), f(2))\nresult = asyncio.run(g())", [2, 1, 2],
                            "clock.sleep clock.sleep"),
    "asyncio.timeout": works(A + "async def f():\n    try:\n        async with asyncio.timeout(1): await "
                             "asyncio.sleep(9)\n"
                             "    except TimeoutError: return 'late'\nresult = asyncio.run(f())", "late",
                             "clock.sleep"),
    "asyncio.wait_for": works(A + "async def f(): return await asyncio.wait_for(asyncio.sleep(1, 'x'), 5)\n"
                              "result = asyncio.run(f())", "x", "clock.sleep"),
    "asyncio.TaskGroup": works(A + "async def f():\n    async with asyncio.TaskGroup() as g: t = g.create_task("
                               "asyncio.sleep(0.1, 3))\n    return t.result()\nresult = asyncio.run(f())", 3,
                               "clock.sleep"),
    "asyncio queue and lock": works(A + "async def f():\n    q = asyncio.Queue()\n    async with asyncio.Lock(): await "
                                    "q.put(1)\n    return await q.get()\nresult = asyncio.run(f())", 1),
    "asyncio.to_thread": works(A + "async def f(): return await asyncio.to_thread(lambda: 7)\nresult = "
                               "asyncio.run(f())", 7),
    "asyncio for ever": fails(A + "async def f(): await asyncio.Event().wait()\nasyncio.run(f())", "can never happen"),
    "asyncio get_event_loop": works(A + "loop = asyncio.new_event_loop()\nresult = loop.run_until_complete("
                                    "asyncio.sleep(0, 4))\nloop.close()", 4),
    "asyncio.Runner": works(A + "with asyncio.Runner() as r: result = r.run(asyncio.sleep(0, 4))", 4),
    "async generators": works(A + "async def g():\n    for i in range(3): yield i\nasync def f(): return [x async for "
                              "x in "
                              "g()]\nresult = asyncio.run(f())", [0, 1, 2]),
    "asyncio inside": fails(A + "async def f(): asyncio.run(asyncio.sleep(0))\nasyncio.run(f())",
                            "asyncio.run() cannot be called from a running event loop"),
}  # fmt: skip
