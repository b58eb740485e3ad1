"""`pathlib`, `glob`, `os.path`, `os.walk`, `shutil`, `tempfile`."""

from __future__ import annotations

from tests.guest.probe import ANY, fails, refused, works

READ, WRITE, APPEND, STAT, LIST = "files.read", "files.write", "files.append", "files.stat", "files.list"
MKDIR, MOVE, TRASH = "files.mkdir", "files.move", "files.trash"
P = "from pathlib import Path\n"
S = "import shutil\n"
T = "import tempfile, os\n"

PROBES = {
    "read_text": works(P + "result = Path('a.txt').read_text()[:3]", "one", READ),
    "read_bytes": works(P + "result = len(Path('bytes.bin').read_bytes())", 256, READ),
    "write_text": works(P + "result = Path('n').write_text('hi')", 2, WRITE),
    "write_bytes": works(P + "result = Path('n').write_bytes(b'hi')", 2, WRITE),
    "path open": works(P + "result = Path('sub', 'c.txt').open().read()", "see", READ),
    "exists": works(P + "result = [Path('a.txt').exists(), Path('none').exists()]", [True, False], f"{STAT} {STAT}"),
    "exists, not allowed": works(P + "result = Path('/home/me/.ssh/id').exists()", False, STAT),
    "is_file": works(P + "result = [Path('a.txt').is_file(), Path('sub').is_file()]", [True, False], f"{STAT} {STAT}"),
    "is_dir": works(P + "result = [Path('a.txt').is_dir(), Path('sub').is_dir()]", [False, True], f"{STAT} {STAT}"),
    "is_symlink": works(P + "result = Path('a.txt').is_symlink()", False, STAT),
    "stat": works(P + "s = Path('a.txt').stat()\nresult = [s.st_size, s.st_mtime > 1e9, oct(s.st_mode)]",
                  [14, True, "0o100644"], STAT),
    "iterdir": works(P + "result = sorted(p.name for p in Path('sub').iterdir())", ["c.txt", "deep"], LIST),
    "path glob": works(P + "result = sorted(map(str, Path('.').glob('*.txt')))", ["a.txt"], LIST),
    "path rglob": works(P + "result = sorted(str(p) for p in Path('.').rglob('*.txt'))",
                        ["a.txt", "sub/c.txt", "sub/deep/d.txt"], f"{LIST} {LIST} {LIST}"),
    "path walk": works(P + "result = [[str(r), d, f] for r, d, f in Path('sub').walk()]",
                       [["sub", ["deep"], ["c.txt"]], ["sub/deep", [], ["d.txt"]]], f"{LIST} {LIST}"),
    "resolve": works(P + "result = str(Path('sub/../a.txt').resolve())", "/home/me/x/a.txt"),
    "beside the program": works(P + "result = (Path(__file__).resolve().parent / 'a.txt').read_text()[:3]", "one",
                                READ),
    "cwd and home": works(P + "result = [str(Path.cwd()), str(Path.home())]", ["/home/me/x", "/home/me"]),
    "expanduser": works(P + "result = str(Path('~/x').expanduser())", "/home/me/x"),
    "path mkdir": works(P + "Path('n').mkdir()\nresult = Path('n').is_dir()", True, f"{MKDIR} {STAT}"),
    "path mkdir parents": works(P + "Path('n/m').mkdir(parents=True, exist_ok=True)", None, MKDIR),
    "path mkdir there": works(P + "Path('sub').mkdir(exist_ok=True)", None, f"{MKDIR} {MKDIR}"),
    "path mkdir there, not ok": works(P + "try: Path('sub').mkdir()\nexcept FileExistsError: result = 1", 1, MKDIR),
    "path mkdir over a file": works(P + "try: Path('a.txt').mkdir(exist_ok=True)\nexcept FileExistsError: result = 1",
                                    1, f"{MKDIR} {MKDIR}"),
    "touch": works(P + "Path('n').touch()\nPath('a.txt').touch()\nresult = Path('a.txt').read_text()[:3]", "one",
                   f"{APPEND} {APPEND} {READ}"),
    "touch, not ok": works(P + "try: Path('a.txt').touch(exist_ok=False)\nexcept FileExistsError: result = 1", 1,
                           WRITE),
    "path rename": works(P + "result = str(Path('a.txt').rename('n.txt'))", "n.txt", MOVE),
    "path replace": works(P + "Path('a.txt').replace('b.md')\nresult = Path('b.md').read_text()[:3]", "one",
                          f"{MOVE} {READ}"),
    "path unlink": works(P + "Path('a.txt').unlink()\nresult = Path('a.txt').exists()", False, f"{TRASH} {STAT}"),
    "path unlink, missing": works(P + "Path('n').unlink(missing_ok=True)", None, TRASH),
    "path rmdir, not empty": fails(P + "Path('sub').rmdir()", "/home/me/x/sub is not empty", LIST),
    "path copy": works(P + "Path('a.txt').copy('n.txt')\nresult = Path('n.txt').read_text()[:3]", "one",
                       f"{STAT} {STAT} {READ} {WRITE} {READ}"),
    "path owner": fails(P + "Path('a.txt').owner()", "UnsupportedOperation"),
    "path samefile": works(P + "result = [Path('a.txt').samefile('./a.txt'), Path('a.txt').samefile('b.md')]",
                           [True, False], f"{STAT} {STAT} {STAT} {STAT}"),
    "glob": works("import glob\nresult = sorted(glob.glob('*.md'))", ["b.md"], LIST),
    "glob recursive": works("import glob\nresult = sorted(glob.glob('**/*.txt', recursive=True))",
                            ["a.txt", "sub/c.txt", "sub/deep/d.txt"], f"{LIST} {LIST} {LIST}"),
    "glob, literal": works("import glob\nresult = glob.glob('a.txt')", ["a.txt"], STAT),
    "glob, not allowed": works("import glob\nresult = glob.glob('/home/me/.ssh/*')", [], LIST),
    "glob absolute": works("import glob\nresult = glob.glob('/home/me/x/sub/*.txt')", ["/home/me/x/sub/c.txt"], LIST),
    "walk": works("import os\nresult = [[r, sorted(d), sorted(f)] for r, d, f in os.walk('sub')]",
                  [["sub", ["deep"], ["c.txt"]], ["sub/deep", [], ["d.txt"]]], f"{LIST} {LIST}"),
    "walk, bottom up": works("import os\nresult = [r for r, d, f in os.walk('sub', topdown=False)]",
                             ["sub/deep", "sub"], f"{LIST} {LIST}"),
    "walk, not allowed": works("import os\nresult = list(os.walk('/home/me/.ssh'))", [], LIST),
    "listdir": works("import os\nresult = os.listdir('sub')", ["c.txt", "deep"], LIST),
    "listdir of here": works("import os\nresult = 'a.txt' in os.listdir()", True, LIST),
    "listdir of bytes": works("import os\nresult = os.listdir(b'sub') == [b'c.txt', b'deep']", True, LIST),
    "listdir of a file": works("import os\ntry: os.listdir('a.txt')\nexcept NotADirectoryError: result = 1", 1, LIST),
    "listdir, not allowed": refused("import os\nos.listdir('/etc')", '"files.list" = { path = ["/etc"] }', LIST),
    "scandir": works("import os\nwith os.scandir('sub') as s: result = [[e.name, e.path, e.is_dir(), e.stat().st_size] "
                     "for e in s]", [["c.txt", "sub/c.txt", False, 3], ["deep", "sub/deep", True, 0]], LIST),
    "exists and the like": works("import os.path as p\nresult = [p.exists('a.txt'), p.isfile('a.txt'), p.isdir('sub'), "
                                 "p.islink('a.txt'), p.getsize('a.txt')]", [True, True, True, False, 14],
                                 " ".join([STAT] * 5)),
    "getmtime": works("import os.path as p\nresult = p.getmtime('a.txt') == p.getctime('a.txt')", True,
                      f"{STAT} {STAT}"),
    "abspath": works("import os.path as p\nresult = [p.abspath('../y'), p.realpath('sub/..'), p.relpath('/home/me')]",
                     ["/home/me/y", "/home/me/x", ".."]),
    "os.path.expanduser": works("import os.path as p\nresult = p.expanduser('~/a')", "/home/me/a"),
    "makedirs": works("import os\nos.makedirs('n/m/o')", None, f"{MKDIR} {MKDIR}"),
    "makedirs there": works("import os\nos.makedirs('sub', exist_ok=True)", None, MKDIR),
    "makedirs there, not ok": works("import os\ntry: os.makedirs('sub')\nexcept FileExistsError: result = 1", 1, MKDIR),
    "removedirs": works("import os\nos.makedirs('n/m', exist_ok=True)\nos.removedirs('n/m')\nresult = 1", 1,
                        f"{MKDIR} {LIST} {TRASH} {LIST} {TRASH}"),
    "chdir": works("import os\nos.chdir('sub')\nresult = [os.getcwd(), open('c.txt').read()]", ["/home/me/x/sub",
                   "see"],
                   READ),
    "contextlib.chdir": works("import contextlib, os\nwith contextlib.chdir('sub'): inside = os.getcwd()\n"
                              "result = [inside, os.getcwd()]", ["/home/me/x/sub", "/home/me/x"]),
    "shutil.copy": works(S + "result = shutil.copy('a.txt', 'n.txt')", "n.txt", f"{READ} {WRITE}"),
    "shutil.copy into a folder": works(S + "result = shutil.copy('a.txt', 'sub')", "sub/a.txt",
                                       f"{READ} {WRITE} {READ} {WRITE}"),
    "shutil.copy2": works(S + "result = shutil.copy2('a.txt', 'n.txt')", "n.txt", f"{READ} {WRITE}"),
    "shutil.copyfile": works(S + "result = shutil.copyfile('a.txt', 'n.txt')", "n.txt", f"{READ} {WRITE}"),
    "shutil.copyfile on itself": fails(S + "shutil.copyfile('a.txt', './a.txt')", "SameFileError"),
    "shutil.copytree": works(S + "shutil.copytree('sub', 'n')\nresult = open('n/deep/d.txt').read()", "deep",
                             f"{LIST} {MKDIR} {READ} {WRITE} {LIST} {MKDIR} {READ} {WRITE} {READ}"),
    "shutil.move": works(S + "result = shutil.move('a.txt', 'n.txt')", "n.txt", MOVE),
    "shutil.move into a folder": works(S + "result = shutil.move('a.txt', 'sub')", "sub/a.txt",
                                       f"{MOVE} {STAT} {MOVE}"),
    "shutil.move over a file": works(S + "shutil.move('a.txt', 'b.md')\nresult = open('b.md').read()[:3]", "one",
                                     f"{MOVE} {STAT} {MOVE} {READ}"),
    "shutil.rmtree": works(S + "shutil.rmtree('sub')", None, f"{STAT} {TRASH}"),
    "shutil.rmtree of nothing": works(S + "shutil.rmtree('none', ignore_errors=True)", None, STAT),
    "shutil.rmtree of a file": works(S + "try: shutil.rmtree('a.txt')\nexcept NotADirectoryError: result = 1", 1, STAT),
    "shutil.which": works(S + "result = shutil.which('python')", None),
    "shutil.disk_usage": fails(S + "shutil.disk_usage('.')", "AttributeError"),
    "shutil.make_archive": works(S + "shutil.make_archive('n', 'zip', 'sub')\nimport zipfile\n"
                                 "result = sorted(zipfile.ZipFile('n.zip').namelist())",
                                 ["c.txt", "deep/", "deep/d.txt"], ANY),
    "shutil.unpack_archive": works(S + "import zipfile\nwith zipfile.ZipFile('n.zip', 'w') as z: z.writestr('q/w.txt', "
                                   "'hi')\nshutil.unpack_archive('n.zip', 'out')\nresult = open('out/q/w.txt').read()",
                                   "hi", ANY),
    "tar extracted": works("import tarfile, io\nb = io.BytesIO()\nwith tarfile.open(fileobj=b, mode='w') as t:\n"
                           "    i = tarfile.TarInfo('q/w.txt')\n    i.size = 2\n    t.addfile(i, io.BytesIO(b'hi'))\n"
                           "b.seek(0)\ntarfile.open(fileobj=b).extractall('out', filter='data')\n"
                           "result = open('out/q/w.txt').read()", "hi", ANY),
    "gettempdir": works(T + "result = os.path.isdir(tempfile.gettempdir())"),
    "TemporaryFile": works(T + "with tempfile.TemporaryFile('w+') as f:\n    f.write('hi')\n    f.seek(0)\n"
                           "    result = f.read()", "hi", "random.bytes"),
    "NamedTemporaryFile": works(T + "with tempfile.NamedTemporaryFile('w', delete=False) as f: f.write('hi')\n"
                                "result = open(f.name).read()\nos.unlink(f.name)", "hi", "random.bytes"),
    "NamedTemporaryFile goes": works(T + "with tempfile.NamedTemporaryFile() as f: pass\nresult = "
                                     "os.path.exists(f.name)",
                                     False, "random.bytes"),
    "mkstemp": works(T + "fd, name = tempfile.mkstemp('.txt')\nos.write(fd, b'hi')\nos.close(fd)\n"
                     "result = open(name).read()", "hi", "random.bytes"),
    "mkdtemp": works(T + "d = tempfile.mkdtemp()\nopen(d + '/f', 'w').write('x')\nresult = os.listdir(d)", ["f"],
                     "random.bytes"),
    "TemporaryDirectory": works(T + "with tempfile.TemporaryDirectory() as d:\n    os.makedirs(d + '/a/b')\n"
                                "    open(d + '/a/b/c', 'w').write('x')\n    n = [f for _, _, f in os.walk(d)]\n"
                                "result = [n, os.path.exists(d)]", [[[], [], ["c"]], False], "random.bytes"),
    "SpooledTemporaryFile": works(T + "f = tempfile.SpooledTemporaryFile(10, 'w+')\nf.write('hello there all')\n"
                                  "f.seek(0)\nresult = f.read()", "hello there all", "random.bytes"),
    "temporary, then in place": works(T + "with tempfile.NamedTemporaryFile('w', dir='.', delete=False) as f: "
                                      "f.write('new')\nos.replace(f.name, 'a.txt')\nresult = open('a.txt').read()",
                                      "new",
                                      f"random.bytes {WRITE} {APPEND} {MOVE} {READ}"),
    "out of the temporary folder": works(T + S + "d = tempfile.mkdtemp()\nopen(d + '/f', 'w').write('x')\n"
                                         "shutil.move(d + '/f', 'n.txt')\nresult = open('n.txt').read()", "x",
                                         f"random.bytes {STAT} {WRITE} {READ}"),
    "hidden temporary folder": works("import os\nresult = os.path.exists('/tmp')", False, STAT),
}  # fmt: skip
