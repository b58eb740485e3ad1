"""`open` in all its modes, and what the standard library builds on it."""

from __future__ import annotations

from tests.guest.probe import ANY, fails, refused, works

READ, WRITE, APPEND = "files.read", "files.write", "files.append"
OUTSIDE = "outside what the program may ever ask; add"
BACK = "result = open('n.txt', 'rb').read().decode()"

PROBES = {
    "read text": works("open('a.txt').read()", "one\ntwo\nthree\n", READ),
    "read lines": works("[line.rstrip() for line in open('a.txt')]", ["one", "two", "three"], READ),
    "readlines": works("open('a.txt').readlines()", ["one\n", "two\n", "three\n"], READ),
    "readline": works("open('a.txt').readline()", "one\n", READ),
    "read with": works("with open('a.txt') as f:\n    result = [f.read(2), f.tell(), f.read()]",
                       ["on", 2, "e\ntwo\nthree\n"], READ),
    "closed after with": works("with open('a.txt') as f: pass\nresult = f.closed", True, READ),
    "closed is an error": fails("f = open('a.txt'); f.close(); f.read()", "ValueError: I/O operation on closed file",
                                READ),
    "read bytes": works("list(open('bytes.bin', 'rb').read()) == list(range(256))", True, READ),
    "read some bytes": works("list(open('bytes.bin', 'rb').read(3))", [0, 1, 2], READ),
    "readinto": works("b = bytearray(4)\nn = open('bytes.bin', 'rb').readinto(b)\nresult = [n, list(b)]",
                      [4, [0, 1, 2, 3]], READ),
    "read1 and peek": works("f = open('bytes.bin', 'rb')\nresult = [len(f.peek(1)) > 0, list(f.read1(2))]",
                            [True, [0, 1]], READ),
    "unbuffered": works("list(open('bytes.bin', 'rb', buffering=0).read(2))", [0, 1], READ),
    "seek": works("f = open('bytes.bin', 'rb')\nf.seek(-2, 2)\nresult = [list(f.read()), f.tell(), f.seek(5)]",
                  [[254, 255], 256, 5], READ),
    "seek text": works("f = open('a.txt')\nf.readline()\nt = f.tell() if False else 4\nf.seek(t)\nresult = "
                       "f.readline()",
                       "two\n", READ),
    "seek before the start": fails("open('bytes.bin', 'rb', buffering=0).seek(-1)", "a position is not negative", READ),
    "empty file": works("open('empty').read()", "", READ),
    "absolute": works("open('/home/me/x/a.txt').readline()", "one\n", READ),
    "home": works("open('~/x/a.txt').readline()", "one\n", READ),
    "dots and slashes": works("open('.//sub/./c.txt').read()", "see", READ),
    "bytes path": works("open(b'a.txt').readline()", "one\n", READ),
    "path object": works("import pathlib\nresult = open(pathlib.Path('a.txt')).readline()", "one\n", READ),
    "parent folder": refused("open('../x/a.txt')", "a path may not contain '..'"),
    "nul": fails("open('a\\0b')", "ValueError: embedded null byte"),
    "empty path": fails("open('')", "an empty path names nothing"),
    "not there": fails("open('none.txt')", "/home/me/x/none.txt is not there", READ),
    "not there is caught": works("try:\n    open('none.txt')\nexcept FileNotFoundError as e:\n"
                                 "    import errno\n    result = [e.errno == errno.ENOENT, e.filename]",
                                 [True, "/home/me/x/none.txt"], READ),
    "a folder": works("try: open('sub')\nexcept IsADirectoryError: result = True", True, READ),
    "not allowed": refused("open('/home/me/.ssh/id')", OUTSIDE, READ),
    "names the line": refused("open('/home/me/.ssh/id')", '"files.read" = { path = ["/home/me/.ssh/id"] }', READ),
    "not allowed is caught": works("try: open('/etc/passwd')\nexcept PermissionError as e: "
                                   "result = [type(e).__name__, 'Errno' in str(e)]", ["PermissionError", False], READ),
    "proc": refused("open('/proc/self/environ')", "not reachable under any grant", READ),
    "write text": works("with open('n.txt', 'w') as f: print('hi', file=f)\n" + BACK, "hi\n", f"{WRITE} {READ}"),
    "write without closing": works("open('n.txt', 'w').write('hi')\n" + BACK, "hi", f"{WRITE} {READ}"),
    "left open": works("f = open('n.txt', 'w')\nf.write('hi')\nresult = 1", 1, WRITE),
    "write nothing": works("open('n.txt', 'w').close()\n" + BACK, "", f"{WRITE} {READ}"),
    "write bytes": works("with open('n.txt', 'wb') as f: f.write(bytes([255, 0]))\n"
                         "result = list(open('n.txt', 'rb').read())", [255, 0], f"{WRITE} {READ}"),
    "one call a file": works("with open('n.txt', 'w') as f:\n    for i in range(5000): f.write(f'{i}\\n')\n"
                             "result = len(open('n.txt').readlines())", 5000, f"{WRITE} {READ}"),
    "flush, then the rest": works("f = open('n.txt', 'w')\nf.write('a')\nf.flush()\nf.write('b')\nf.close()\n" + BACK,
                                  "ab", f"{WRITE} {APPEND} {READ}"),
    "flush of nothing": works("f = open('n.txt', 'w')\nf.flush()\nf.flush()\nf.close()\nresult = 1", 1, WRITE),
    "write not allowed": refused("with open('/home/me/n', 'w') as f: f.write('x')", OUTSIDE, WRITE),
    "write into no folder": fails("with open('no/n', 'w') as f: f.write('x')", "/home/me/x/no is not there", WRITE),
    "write over a folder": fails("with open('sub', 'w') as f: f.write('x')", "/home/me/x/sub is a folder", WRITE),
    "refused once, not twice": works("try:\n    with open('/home/me/n', 'w') as f: f.write('x')\n"
                                     "except PermissionError: result = f.closed", True, WRITE),
    "refused where nobody sees": refused("open('/home/me/n', 'w').write('x')\nresult = 1", OUTSIDE, WRITE),
    "refused where nobody sees, twice": refused("for i in 'nm': open('/home/me/' + i, 'w').write('x')", "/home/me/n",
                                                f"{WRITE} {WRITE}"),
    "refused where nobody sees, and on": refused("open('/home/me/n', 'w').write('x')\nopen('n.txt', 'w').write('y')",
                                                 '"files.write" = { path = ["/home/me/n"] }', f"{WRITE} {WRITE}"),
    "refused where nobody sees, and out": refused("import sys\nopen('/home/me/n', 'a').write('x')\nsys.exit()", OUTSIDE,
                                                  APPEND),
    "refused where nobody sees, in bytes": refused("open('/home/me/n', 'wb', buffering=0).write(b'x')\nresult = 1",
                                                   OUTSIDE, WRITE),
    "refused where nobody sees, in a zip": refused("import zipfile\nzipfile.ZipFile('/home/me/n', 'w').writestr("
                                                   "zipfile.ZipInfo('a'), 'x')\nresult = 1", OUTSIDE, WRITE),
    "no folder where nobody sees": fails("open('no/n', 'w').write('x')\nresult = 1", "x/no is not there", WRITE),
    "refused and caught": works("try:\n    f = open('/home/me/n', 'w')\n    f.write('x')\n    f.close()\n"
                                "except PermissionError: result = 1", 1, WRITE),
    "left open and refused": refused("f = open('/home/me/n', 'w')\nf.write('x')\nresult = 1", OUTSIDE, WRITE),
    "append": works("with open('a.txt', 'a') as f: f.write('four\\n')\nresult = open('a.txt').read()[-5:]", "four\n",
                    f"{APPEND} {READ}"),
    "append to nothing": works("open('n.txt', 'a').close()\n" + BACK, "", f"{APPEND} {READ}"),
    "append tells its place": works("f = open('a.txt', 'a')\nresult = f.tell()", 14, f"files.stat {APPEND}"),
    "append tells nothing there": works("f = open('n.txt', 'a')\nresult = f.tell()", 0, f"files.stat {APPEND}"),
    "append after append": works("for i in '12':\n    with open('n.txt', 'a') as f: f.write(i)\n" + BACK, "12",
                                 f"{APPEND} {APPEND} {READ}"),
    "append and read": works("f = open('a.txt', 'a+')\nf.seek(0)\nfirst = f.readline()\nf.write('end')\nf.close()\n"
                             "result = [first, open('a.txt').read()[-3:]]", ["one\n", "end"],
                             f"{READ} {APPEND} {READ}"),
    "exclusive": works("with open('n.txt', 'x') as f: f.write('hi')\n" + BACK, "hi", f"{WRITE} {APPEND} {READ}"),
    "exclusive and there": works("try: open('a.txt', 'x')\nexcept FileExistsError: result = True", True, WRITE),
    "read and write": works("with open('a.txt', 'r+') as f:\n    f.write('ONE')\nresult = open('a.txt').read()",
                            "ONE\ntwo\nthree\n", f"{READ} {WRITE} {READ}"),
    "read and write, end only": works("with open('a.txt', 'r+') as f:\n    f.read()\n    f.write('4')\n"
                                      "result = open('a.txt').read()[-2:]", "\n4", f"{READ} {APPEND} {READ}"),
    "read and write, unchanged": works("with open('a.txt', 'r+') as f: f.read()\nresult = 1", 1, READ),
    "read and write, not there": works("try: open('n.txt', 'r+')\nexcept FileNotFoundError: result = 1", 1, READ),
    "write and read": works("with open('n.txt', 'w+') as f:\n    f.write('hello')\n    f.seek(0)\n    result = "
                            "f.read()",
                            "hello", WRITE),
    "truncate": works("with open('a.txt', 'r+') as f: f.truncate(3)\nresult = open('a.txt').read()", "one",
                      f"{READ} {WRITE} {READ}"),
    "binary update": works("with open('bytes.bin', 'r+b') as f:\n    f.seek(1)\n    f.write(b'!')\n"
                           "result = list(open('bytes.bin', 'rb').read(3))", [0, 33, 2], f"{READ} {WRITE} {READ}"),
    "write a reader": fails("open('a.txt').write('x')", "UnsupportedOperation: not writable", READ),
    "read a writer": fails("open('n.txt', 'w').read()", "UnsupportedOperation: not readable", WRITE),
    "latin-1": works("open('bytes.bin', encoding='latin-1').read(70)[65:]", "ABCDE", READ),
    "not utf-8": fails("open('bytes.bin').read()", "UnicodeDecodeError", READ),
    "errors": works("open('bytes.bin', errors='replace').read()[200]", "\ufffd", READ),
    "encoding out": works("open('n.txt', 'w', encoding='utf-16-le').write('hi')\n"
                          "result = list(open('n.txt', 'rb').read())", [104, 0, 105, 0], f"{WRITE} {READ}"),
    "newlines out": works("open('n.txt', 'w', newline='\\r\\n').write('a\\nb')\n" + BACK, "a\r\nb", f"{WRITE} {READ}"),
    "newlines in": works("open('n.txt', 'wb').write(b'a\\r\\nb')\nresult = [open('n.txt').read(), "
                         "open('n.txt', newline='').read()]", ["a\nb", "a\r\nb"], f"{WRITE} {READ} {READ}"),
    "every mode": works(
        "result = []\nfor mode in 'r rb rt r+ rb+ w wb wt w+ wb+ a ab at a+ ab+ x xb xt x+ xb+'.split():\n"
        "    with open('n' + mode if mode[0] == 'x' else 'a.txt', mode) as f: "
        "result.append(f'{f.mode} {f.readable():d}{f.writable():d}{f.seekable():d}')",
        ["r 101", "rb 101", "rt 101", "r+ 111", "rb+ 111", "w 011", "wb 011", "wt 011", "w+ 111", "rb+ 111", "a 011",
         "ab 011", "at 011", "a+ 111", "ab+ 111", "x 011", "xb 011", "xt 011", "x+ 111", "xb+ 111"], ANY),
    "no mode": works(
        "result = set()\nfor mode in ('', 'b', '+', 'U', 'rU', 'rr', 'w+r', 'rwa', 'tb', 'rbt', 'r++', 'é'):\n"
        "    try: open('a.txt', mode)\n    except ValueError as e: result.add(mode)\nresult = len(result)", 12),
    "bad mode": fails("open('a.txt', 'q')", "ValueError: invalid mode: 'q'"),
    "two modes": fails("open('a.txt', 'rw')", "ValueError"),
    "binary with encoding": fails("open('a.txt', 'rb', encoding='utf-8')", "ValueError: binary mode"),
    "unbuffered text": fails("open('a.txt', buffering=0)", "ValueError: can't have unbuffered text I/O"),
    "fileno": works("import os\nf = open('a.txt')\nresult = [f.fileno() > 2, os.fstat(f.fileno()).st_size]", [True, 14],
                    READ),
    "fdopen": works("import os\nfd = os.open('n.txt', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)\n"
                    "with os.fdopen(fd, 'w') as f: f.write('hi')\n" + BACK, "hi", f"{WRITE} {READ}"),
    "io.open": works("import io\nresult = io.open('a.txt').readline()", "one\n", READ),
    "io.FileIO": works("import io\nresult = [io.FileIO('a.txt').read(3).decode(), isinstance(open('a.txt', 'rb').raw, "
                       "io.FileIO)]", ["one", True], f"{READ} {READ}"),
    "codecs.open": works("import codecs, warnings\nwarnings.simplefilter('ignore')\n"
                         "result = codecs.open('a.txt', encoding='utf-8').readline()", "one\n", READ),
    "isinstance": works("import io\nf = open('a.txt')\nresult = [isinstance(f, io.TextIOWrapper), "
                        "isinstance(f.buffer, io.BufferedReader)]", [True, True], READ),
    "repr": works("repr(open('a.txt'))", "<_io.TextIOWrapper name='a.txt' mode='r' encoding='utf-8'>", READ),
    "devnull": works("import os\nprint('x', file=open(os.devnull, 'w'))\nresult = open('/dev/null').read()", ""),
    "csv": works("import csv\nresult = [row['age'] for row in csv.DictReader(open('table.csv', newline=''))]",
                 ["36", "41"], READ),
    "csv out": works("import csv\nwith open('n.txt', 'w', newline='') as f:\n    csv.writer(f).writerows([[1, 'a'], "
                     "[2, "
                     "'b,c']])\n" + BACK, '1,a\r\n2,"b,c"\r\n', f"{WRITE} {READ}"),
    "json": works("import json\njson.dump({'a': 1}, open('n.txt', 'w'))\nresult = json.load(open('n.txt'))", {"a": 1},
                  f"{WRITE} {READ}"),
    "gzip": works("import gzip\nwith gzip.open('n.gz', 'wt') as f: f.write('hi')\nresult = gzip.open('n.gz', 'rt')"
                  ".read()", "hi", f"clock.now {WRITE} {APPEND} {READ}"),
    "zipfile": works("import zipfile\nwith zipfile.ZipFile('n.zip', 'w') as z: z.writestr('a', 'hi')\n"
                     "with zipfile.ZipFile('n.zip') as z: result = z.read('a').decode()", "hi",
                     f"clock.now {WRITE} {READ}"),
    "zip in memory": works("import zipfile, io\nb = io.BytesIO()\nwith zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED) "
                           "as z:"
                           " z.writestr(zipfile.ZipInfo('a'), 'hi' * 99)\nresult = zipfile.ZipFile(b).namelist()",
                           ["a"]),
    "tarfile": works("import tarfile\nwith tarfile.open('n.tar', 'w') as t: t.add('a.txt')\n"
                     "result = tarfile.open('n.tar').getnames()", ["a.txt"],
                     f"files.stat {READ} {WRITE} {READ} {READ}"),
    "shelve needs a file": refused("import shelve\nshelve.open('/home/me/x/db')", "a program opens no database file",
                                   ANY),
    "pickle": works("import pickle\npickle.dump([1], open('n.p', 'wb'))\nresult = pickle.load(open('n.p', 'rb'))", [1],
                    f"{WRITE} {READ}"),
    "tomllib": works("import tomllib\nopen('n.toml', 'w').write('a = 1')\nresult = tomllib.load(open('n.toml', 'rb'))",
                     {"a": 1}, f"{WRITE} {READ}"),
    "configparser": works("import configparser\nopen('n.ini', 'w').write('[s]\\na = 1')\nc = "
                          "configparser.ConfigParser()\n"
                          "c.read('n.ini')\nresult = c['s']['a']", "1", f"{WRITE} {READ}"),
    "fileinput": works("import fileinput\nresult = [l.strip() for l in fileinput.input(['a.txt'])]",
                       ["one", "two", "three"], READ),
    "filecmp": works("import filecmp\nresult = filecmp.cmp('a.txt', 'b.md', shallow=False)", False,
                     "files.stat files.stat"),
    "a big file in ranges": works("with open('n', 'wb') as f: f.write(b'0123456789' * 300000)\nf = open('n', 'rb')\n"
                                  "f.seek(2999995)\ntail = f.read()\nf.seek(0)\nresult = [tail.decode(), "
                                  "len(f.read())]",
                                  ["56789", 3000000], f"{WRITE} {READ} {READ} {READ} {READ} {READ}"),
    "a bigger file in pieces": works("with open('n', 'wb') as f: f.write(bytes(9 << 20))\nimport os\n"
                                     "result = os.path.getsize('n')", 9 << 20, f"{WRITE} {APPEND} {APPEND} files.stat"),
}  # fmt: skip
