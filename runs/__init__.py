"""The life of a run: taken in, put to the person, played in a cell, parked while it waits, and over.

All authority is the kernel's: a run brings its calls to `agentos.kernel.path`, and can do nothing by itself.
"""
