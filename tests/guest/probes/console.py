"""print, input, logging, warnings."""

from __future__ import annotations

from tests.guest.probe import fails, works

LINE = "console.read_line"
I = "import sys, io\n"  # noqa: E741

PROBES = {
    "print": works("print('hi', 1, sep='-')\nresult = 1", 1, output="hi-1\n"),
    "print without end": works("print('a', end='')\nprint('b', flush=True)\nresult = 1", 1, output="ab\n"),
    "print to stderr": works(I + "print('e', file=sys.stderr)\nresult = 1", 1, output=""),
    "stdout.write": works(I + "result = sys.stdout.write('héllo')", 5, output="héllo"),
    "stdout.buffer": works(I + "sys.stdout.buffer.write('hé'.encode())\nprint()\nresult = 1", 1, output="hé\n"),
    "stdout.buffer of no text": works(I + "sys.stdout.buffer.write(b'a\\xffb')\nresult = 1", 1, output="a\ufffdb"),
    "half a surrogate": works("print('\\ud800')\nresult = 1", 1, output="\\ud800\n"),
    "stdout facts": works(I + "result = [sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.fileno(), "
                          "sys.stdout.writable(), sys.stdout.closed]", [False, "utf-8", 1, True, False]),
    "writelines": works(I + "sys.stdout.writelines(['a', 'b'])\nresult = 1", 1, output="ab"),
    "reconfigure": works(I + "sys.stdout.reconfigure(line_buffering=True)\nprint('x')\nresult = 1", 1, output="x\n"),
    "redirect_stdout": works(I + "import contextlib\nb = io.StringIO()\nwith contextlib.redirect_stdout(b): "
                             "print('x')\n"
                             "result = b.getvalue()", "x\n", output=""),
    "os.write": works("import os\nresult = os.write(1, b'hi')", 2, output="hi"),
    "open(1)": works("print('hi', file=open(1, 'w', closefd=False))\nresult = 1", 1, output="hi\n"),
    "write something else": fails(I + "sys.stdout.write(b'x')", "TypeError"),
    "a closed stdout": fails(I + "sys.stdout.close()\nprint('x')", "ValueError: I/O operation on closed file"),
    "a broken __str__": fails("class A:\n    def __str__(self): 1/0\nprint(A())", "ZeroDivisionError"),
    "input": works("input('name? ')", "Ada", LINE, typed=("Ada",)),
    "input twice": works("[input(), input()]", ["a", "b"], f"{LINE} {LINE}", typed=("a", "b")),
    "input at its end": fails("input()", "EOFError", LINE),
    "input of its own": works(I + "sys.stdin = io.StringIO('a\\nb')\nresult = [input('? '), input()]", ["a", "b"],
                              output="? "),
    "input of its own, ended": fails(I + "sys.stdin = io.StringIO('')\ninput()", "EOFError"),
    "no input": fails(I + "sys.stdin = None\ninput()", "lost sys.stdin"),
    "stdin": works(I + "result = sys.stdin.readline()", "Ada\n", LINE, typed=("Ada",)),
    "stdin lines": works(I + "result = [l.strip() for l in sys.stdin]", ["a", "b"], f"{LINE} {LINE} {LINE}",
                         typed=("a", "b")),
    "stdin whole": works(I + "result = sys.stdin.read()", "a\n", f"{LINE} {LINE}", typed=("a",)),
    "stdin bytes": works(I + "result = sys.stdin.buffer.readline().decode()", "a\n", LINE, typed=("a",)),
    "stdin is no terminal": works(I + "result = [sys.stdin.isatty(), sys.stdin.fileno()]", [False, 0]),
    "getpass": works("import getpass, warnings\nwarnings.simplefilter('ignore')\nresult = getpass.getpass()", "pw",
                     LINE,
                     typed=("pw",)),
    "logging": works("import logging\nlogging.warning('oh %s', 1)\nresult = 1", 1, "clock.now"),
    "logging to stdout": works(I + "import logging\nlogging.basicConfig(stream=sys.stdout, level='INFO', "
                               "format='%(asctime)s %(levelname)s %(process)d %(threadName)s %(message)s')\n"
                               "logging.info('x')\nresult = 1", 1, "clock.now",
                               output="2026-01-01 12:00:00,000 INFO 1 MainThread x\n"),
    "logging to a file": works("import logging\nlogging.basicConfig(filename='n.log', format='%(message)s')\n"
                               "logging.error('x')\nresult = 1", 1, "clock.now files.append"),
    "logging of an exception": works("import logging\ntry: 1/0\nexcept ZeroDivisionError: logging.exception('x')\n"
                                     "result = 1", 1, "clock.now"),
    "logging below its level": works("import logging\nlogging.info('x')\nresult = 1", 1),
    "warnings": works("import warnings\nwarnings.warn('careful')\nresult = 1", 1),
    "a warning of Python": works("result = eval('1 is 1')", True),
    "pprint": works("import pprint\npprint.pprint({'a': [1]})\nresult = 1", 1, output="{'a': [1]}\n"),
    "traceback.print_exc": works(I + "import traceback\ntry: 1/0\nexcept ZeroDivisionError: traceback.print_exc("
                                 "file=sys.stdout)\nresult = 1", 1,
                                 output="Traceback (most recent call last):\n  File \"prog.py\", line 3, in <module>\n"
                                 "    try: 1/0\n         ~^~\nZeroDivisionError: division by zero\n"),
    "traceback.print_stack": works(I + "import traceback\ntraceback.print_stack(file=sys.stdout)\nresult = 1", 1,
                                   output='  File "prog.py", line 3, in <module>\n'
                                   "    traceback.print_stack(file=sys.stdout)\n"),
    "format_exc of open": works("import traceback\ntry: open('/etc/passwd')\nexcept OSError: result = "
                                "traceback.format_exc().count('File')", 1, "files.read"),
    "argparse help": works("import argparse\nargparse.ArgumentParser(prog='p').print_help()\nresult = 1", 1),
    "help()": works("help(len)\nresult = 1", 1),
    "license()": works("repr(license) != ''"),
}  # fmt: skip
