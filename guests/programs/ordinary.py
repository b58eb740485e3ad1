"""An ordinary script: how long the files of a folder are, as a table. It knows nothing of Agent OS."""

import csv
import glob
import sys

folder = sys.argv[1] if len(sys.argv) > 1 else "guests/programs"
with open("build/lines.csv", "w", newline="") as table:
    writer = csv.writer(table)
    writer.writerow(["file", "lines"])
    for name in sorted(glob.glob(f"{folder}/*.py")):
        with open(name) as file:
            count = len(file.readlines())
        writer.writerow([name, count])
        print(f"{count:5} {name}")
