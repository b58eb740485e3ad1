"""Sockets, other programs, threads, signals, the machine: refused in words, or the same bland answers everywhere."""

# ruff: noqa: S608  (the statements are the program's)
from __future__ import annotations

from tests.guest.probe import fails, refused, works

NET = "fetch with net.get(url) of agentos.sdk"
HERE = '"net.fetch" = { host = ["a.example"] }'
MAIL = "mail is a capability of its own, which this version does not have"
PROCESS = "a program starts no other program"
THREAD = "a program has one thread"
SQL = "import sqlite3\nc = sqlite3.connect(':memory:')\n"

PROBES = {
    "socket": refused("import socket\nsocket.socket()", NET),
    "socket with": refused("import socket\nwith socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s: pass", NET),
    "create_connection of what": refused("import socket\nsocket.create_connection(('\"\\n', 80))", NET),
    "create_connection": refused("import socket\nsocket.create_connection(('a.example', 80))", HERE),
    "getaddrinfo": refused("import socket\nsocket.getaddrinfo('example.com', 80)", "a program looks up no name"),
    "gethostbyname": refused("import socket\nsocket.gethostbyname('example.com')", "a program looks up no name"),
    "gethostname": works("import socket\nresult = [socket.gethostname(), socket.getfqdn()]", ["guest", "guest"]),
    "_socket": refused("import _socket\n_socket.socket()", NET),
    "socketpair": refused("import socket\nsocket.socketpair()", NET),
    "inet_aton": works("import socket\nresult = socket.inet_ntoa(socket.inet_aton('1.2.3.4'))", "1.2.3.4"),
    "http.server": refused("import http.server as h\nh.HTTPServer(('', 80), h.BaseHTTPRequestHandler)", NET),
    "smtplib": refused("import smtplib\nsmtplib.SMTP('example.com')", MAIL),
    "smtplib, then connect": refused("import smtplib\nsmtplib.SMTP().connect('example.com')", MAIL),
    "smtplib over TLS": refused("import smtplib\nsmtplib.SMTP_SSL('example.com', 465)", MAIL),
    "imaplib": refused("import imaplib\nimaplib.IMAP4('example.com')", MAIL),
    "imaplib over TLS": refused("import imaplib\nimaplib.IMAP4_SSL('example.com')", MAIL),
    "poplib": refused("import poplib\npoplib.POP3('example.com')", MAIL),
    "poplib over TLS": refused("import poplib\npoplib.POP3_SSL('example.com')", MAIL),
    "ftplib": refused("import ftplib\nftplib.FTP('example.com')", "fetch the file over https"),
    "ftplib over TLS": refused("import ftplib\nftplib.FTP_TLS('example.com')", "fetch the file over https"),
    "socketserver": refused("import socketserver as s\ns.TCPServer(('', 1), s.BaseRequestHandler)", NET),
    "select": refused("import select\nselect.select([0], [], [])", NET),
    "select as a sleep": works("import select\nresult = len(select.select([], [], [], 1))", 3, "clock.sleep"),
    "selectors": refused("import selectors\nselectors.DefaultSelector()", NET),
    "asyncio.open_connection": refused("import asyncio\nasyncio.run(asyncio.open_connection('a.example', 80))", HERE),
    "asyncio over TLS": refused("import asyncio\nasyncio.run(asyncio.open_connection('a.example', 443, ssl=True))",
                                HERE),
    "asyncio.getaddrinfo": refused("import asyncio\nasync def f(): await asyncio.get_running_loop().getaddrinfo("
                                   "'a.example', 80)\nasyncio.run(f())", HERE),
    "asyncio subprocess": refused("import asyncio\nasyncio.run(asyncio.create_subprocess_exec('ls'))", PROCESS),
    "logging over a socket": works("import logging.handlers as h\nresult = h.SocketHandler('example.com', 1).port", 1),
    "webbrowser": works("import webbrowser\nresult = webbrowser.open('https://example.com')", False),
    "subprocess.run": refused("import subprocess\nsubprocess.run(['ls'])", PROCESS),
    "check_output": refused("import subprocess\nsubprocess.check_output('ls', shell=True)", PROCESS),
    "Popen": refused("import subprocess\nsubprocess.Popen('ls')", PROCESS),
    "os.system": refused("import os\nos.system('ls')", PROCESS),
    "os.popen": refused("import os\nos.popen('ls')", PROCESS),
    "os.fork": refused("import os\nos.fork()", PROCESS),
    "os.execv": refused("import os\nos.execv('/bin/ls', ['ls'])", PROCESS),
    "os.spawnl": refused("import os\nos.spawnl(0, '/bin/ls')", PROCESS),
    "os.kill": refused("import os\nos.kill(1, 9)", "a program sends no signals"),
    "multiprocessing": refused("import multiprocessing as m\nm.Process(target=print).start()", PROCESS),
    "multiprocessing.Pool": refused("import multiprocessing as m\nm.Pool(2)", PROCESS),
    "ProcessPoolExecutor": fails("import concurrent.futures as f\nf.ProcessPoolExecutor().submit(print)", ""),
    "Thread": fails("import threading\nthreading.Thread(target=print).start()", THREAD),
    "Timer": fails("import threading\nthreading.Timer(1, print).start()", THREAD),
    "ThreadPoolExecutor": fails("import concurrent.futures as f\nf.ThreadPoolExecutor().submit(print)", THREAD),
    "an idle executor": works("import concurrent.futures as f\nwith f.ThreadPoolExecutor() as p: result = 1", 1),
    "_thread": fails("import _thread\n_thread.start_new_thread(print, ())", THREAD),
    "Lock": works("import threading\nl = threading.Lock()\nwith l: result = [l.locked(), l.acquire(blocking=False)]",
                  [True, False]),
    "Lock with a timeout": works("import threading\nl = threading.Lock()\nl.acquire()\nresult = l.acquire(timeout=2)",
                                 False, "clock.sleep"),
    "Lock for ever": fails("import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()", "waits for itself"),
    "RLock": works("import threading\nl = threading.RLock()\nwith l:\n    with l: result = 1", 1),
    "Event": works("import threading\ne = threading.Event()\nresult = [e.wait(1), e.is_set()]", [False, False],
                   "clock.sleep"),
    "Condition and Semaphore": works("import threading\nwith threading.Condition(): pass\nwith threading.Semaphore(): "
                                     "result = 1", 1),
    "Barrier and local": works("import threading\nl = threading.local()\nl.x = 1\nresult = [l.x, threading.Barrier(1)"
                               ".wait()]", [1, 0]),
    "current_thread": works("import threading\nresult = [threading.current_thread().name, threading.active_count()]",
                            ["MainThread", 1]),
    "Queue": works("import queue\nq = queue.Queue()\nq.put(1)\nresult = q.get()", 1),
    "Queue that is empty": works("import queue\ntry: queue.Queue().get_nowait()\nexcept queue.Empty: result = 1", 1),
    "Queue with a timeout": works("import queue\ntry: queue.Queue().get(timeout=1)\nexcept queue.Empty: result = 1", 1,
                                  "clock.now clock.now clock.sleep clock.now"),
    "Queue for ever": fails("import queue\nqueue.Queue().get()", "waits for itself"),
    "SimpleQueue": works("import queue\nq = queue.SimpleQueue()\nq.put(1)\nresult = q.get()", 1),
    "SimpleQueue for ever": fails("import queue\nqueue.SimpleQueue().get()", "waits for itself"),
    "SimpleQueue with a timeout": works("import queue\ntry: queue.SimpleQueue().get(timeout=1)\nexcept queue.Empty: "
                                        "result = 1", 1, "clock.now clock.sleep clock.now"),
    "RLock of C": works("import _thread\nl = _thread.RLock()\nresult = [l.acquire(timeout=1), l.acquire()]", [True,
                        True]),
    "signal": works("import signal\nresult = callable(signal.signal(signal.SIGINT, lambda *a: None))"),
    "signal raised": works("import signal\nn = []\nsignal.signal(signal.SIGTERM, lambda s, f: n.append(s))\n"
                           "signal.raise_signal(signal.SIGTERM)\nresult = n", [15]),
    "signal.alarm": fails("import signal\nsignal.alarm(1)", "AttributeError"),
    "faulthandler": works("import faulthandler\nfaulthandler.enable()\nfaulthandler.dump_traceback()\nresult = 1", 1),
    "environ": works("import os\nresult = [dict(os.environ), os.getenv('HOME'), os.environ.get('PATH')]",
                     [{}, None, None]),
    "environ kept": works("import os\nos.environ['A'] = 'b'\nresult = os.getenv('A')\ndel os.environ['A']", "b"),
    "the machine": works("import os\nresult = [os.getpid(), os.cpu_count(), os.uname().nodename, os.getuid()]",
                         [1, 1, "guest", 1000]),
    "platform": works("import platform\nresult = [platform.system(), platform.node(), platform.machine(), "
                      "platform.python_version()[:2]]", ["agentos", "guest", "wasm32", "3."]),
    "platform, all": works("import platform\nresult = [len(platform.platform()) > 3, platform.processor(), "
                           "platform.python_implementation()]", [True, "", "CPython"]),
    "sysconfig": works("import sysconfig\nresult = isinstance(sysconfig.get_paths(), dict)"),
    "sysconfig vars": works("import sysconfig\nresult = isinstance(sysconfig.get_platform(), str)"),
    "locale": works("import locale\nlocale.setlocale(locale.LC_ALL, '')\nresult = "
                    "locale.getpreferredencoding().lower()",
                    "utf-8"),
    "getuser": fails("import getpass\ngetpass.getuser()", "OSError"),
    "terminal size": works("import shutil\nresult = list(shutil.get_terminal_size())", [80, 24]),
    "os.get_terminal_size": fails("import os\nos.get_terminal_size()", "there is no terminal"),
    "mimetypes": works("import mimetypes\nresult = mimetypes.guess_type('a.png')[0]", "image/png"),
    "sqlite3": works(SQL + "c.execute('create table t (a, b)')\nc.executemany('insert into t values (?, ?)', [(1, 2), "
                     "(3, "
                     "4)])\nresult = c.execute('select sum(a), max(b) from t').fetchone()", [4, 4]),
    "sqlite3, a lot": works(SQL + "c.execute('create table t (a)')\nc.executemany('insert into t values (?)', ((i * "
                            "7919 % "
                            "20011,) for i in range(20000)))\nc.commit()\nresult = c.execute('select a from t order "
                            "by a "
                            "desc').fetchone()[0]", 20010),
    "sqlite3 file": refused("import sqlite3\nsqlite3.connect('a.db')", "a program opens no database file"),
    "sqlite3 Connection": refused("import sqlite3\nsqlite3.Connection('a.db')", "a program opens no database file"),
    "sqlite3 uri": refused("import sqlite3\nsqlite3.connect('file:a.db', uri=True)", "no database file"),
    "sqlite3 temporary": works("import sqlite3\nresult = sqlite3.connect('').execute('select 1').fetchone()[0]", 1),
    "sqlite3 attach in memory": works(SQL + "c.execute(\"attach ':memory:' as x\")\nc.execute('create table x.t (a)')\n"
                                        "result = 1", 1),
    "sqlite3 bytes": works("import sqlite3\nresult = sqlite3.connect(b':memory:').execute('select 1').fetchone()", [1]),
    "sqlite3 path": refused("import sqlite3, pathlib\nsqlite3.connect(pathlib.Path('a.db'))", "no database file: a.db"),
    "sqlite3 of no path": fails("import sqlite3\nsqlite3.connect(5)", "TypeError"),
    "sqlite3 shared memory": works("import sqlite3\nresult = sqlite3.connect('file::memory:?cache=shared', uri=True)"
                                   ".execute('select 1').fetchone()[0]", 1),
    "sqlite3 put aside": works("import sqlite3\nc = sqlite3.connect('')\nc.execute('pragma temp_store = file')\n"
                               "c.execute(\"pragma temp_store_directory = '/tmp'\")\n"
                               "c.execute('create temp table t (a)')\nc.execute('pragma temp.cache_size = 1')\n"
                               "c.executemany('insert into t values (?)', (('x' * 500,) for i in range(5000)))\n"
                               "c.commit()\nresult = c.execute('select count(*) from t').fetchone()[0]", 5000),
    "sqlite3 cursor": works(SQL + "k = c.cursor()\nk.execute('create table t (a)')\nk.executemany('insert into t "
                            "values (?)', [(1,), (2,)])\nk.executescript('delete from t where a = 1')\nresult = "
                            "[isinstance(k, sqlite3.Cursor), repr(k)[:15], k.execute('select * from t').fetchall()]",
                            [True, "<sqlite3.Cursor", [[2]]]),
    "sqlite3 wrong": fails(SQL + "c.execute('selec 1')", 'OperationalError: near \"selec\": syntax error'),
    "sqlite3 attach": refused(SQL + "c.execute(\"attach 'a.db' as x\")", "a program opens no database file: a.db"),
    "sqlite3 attach by a cursor": refused(SQL + "c.cursor().executescript(\"attach 'a.db' as x\")", "file: a.db"),
    "sqlite3 attach of what": refused(SQL + "c.execute('attach ? as x', ('a.db',))", "opens no database file"),
    "sqlite3 set_authorizer": refused(SQL + "c.set_authorizer(None)\nc.execute(\"attach 'a.db' as x\")",
                                      "a program opens no database file: a.db"),
    "sqlite3 vacuum": works(SQL + "c.execute('create table t (a)')\nc.execute('vacuum')\nresult = 1", 1),
    "sqlite3 vacuum into": refused(SQL + "c.execute(\"vacuum into 'a.db'\")", "a program opens no database file: a.db"),
    "sqlite3 now": works(SQL + "result = c.execute(\"select datetime('now'), date('now', '+1 day')\").fetchone()",
                         ["2026-01-01 12:00:00", "2026-01-02"], "clock.now clock.now"),
    "sqlite3 current_timestamp": works(SQL + "c.execute('create table t (a, b default current_timestamp)')\n"
                                       "c.execute('insert into t (a) values (1)')\nresult = c.execute('select b, "
                                       "current_date, current_time from t').fetchone()",
                                       ["2026-01-01 12:00:00", "2026-01-01", "12:00:00"],
                                       "clock.now clock.now clock.now"),
    "sqlite3 strftime": works(SQL + "result = c.execute(\"select strftime('%Y', 'now'), strftime('%d', '2026-02-03'), "
                              "julianday('2026-01-01'), unixepoch('now')\").fetchone()",
                              ["2026", "03", 2461041.5, 1767268800], "clock.now clock.now"),
    "sqlite3 dates without now": works(SQL + "result = c.execute(\"select date('2026-01-31', '+1 "
                                       "month')\").fetchone()[0]",
                                       "2026-03-03"),
    "sqlite3 random": works(SQL + "result = [isinstance(x, int) for x in c.execute('select random(), "
                            "length(randomblob(8))').fetchone()]", [True, True], "random.bytes"),
    "sqlite3 order by random": works(SQL + "c.execute('create table t (a)')\nc.executemany('insert into t values (?)', "
                                     "[(i,) for i in range(9)])\nresult = len(c.execute('select a from t order by "
                                     "random()').fetchall())", 9, "random.bytes"),
    "sqlite3 dump and backup": works(SQL + "c.execute('create table t (a)')\nd = sqlite3.connect(':memory:')\n"
                                     "c.backup(d)\nresult = len(list(d.iterdump())) > 1"),
    "sqlite3 serialize": works(SQL + "c.execute('create table t (a)')\nd = sqlite3.connect(':memory:')\nd.deserialize("
                               "c.serialize())\nresult = d.execute('select count(*) from t').fetchone()[0]", 0),
    "sqlite3 load_extension": fails(SQL + "c.enable_load_extension(True)", "AttributeError"),
    "sqlite3 row factory": works(SQL + "c.row_factory = sqlite3.Row\nresult = c.execute('select 1 as "
                                 "a').fetchone()['a']", 1),
    "sqlite3 temp table": works(SQL + "c.execute('create temp table t (a)')\nc.execute('insert into t select value "
                                "from "
                                "json_each(?)', ['[1,2]'])\nresult = c.execute('select count(*) from "
                                "t').fetchone()[0]", 2),
}  # fmt: skip
