"""How long a run and a call take, and what they weigh: measured on the real kernel, told as ratios.

`make bench`, or `python -m bench start call many memory cpu others durable`, with `--quick`, `--json`, `--write`. It
makes a home of its own in the temporary folder, starts a real kernel on it with its walls on and its records on disk,
and removes both.

Method
------
A time on its own says more about the machine than about us: on a shared one it doubles from hour to hour. So each of
our figures has a **peer**, something that everyone knows the price of, doing the least that one could do instead:

    start of a run            python3 -c 1, from spawn to wait, with no packages beside it
    start, beside the bone    a zygote, a fork and a socketpair with the same guest: no kernel, no wall, no record
    call of a capability      a bare grpc.aio echo of messages of the same sizes, over a Unix socket
    the same, elsewhere       a tool of an MCP stdio server (the official SDK), its client a process of its own
    durable write             temporary file, sync, rename, sync of the folder, straight to the disk
    the kernel's own call     a round trip on a socketpair between two processes
    many runs at once         as many python3 -c 1 at once
    memory of a process       an idle python3
    what a program computes   the same work in CPython itself
    an effect on record       the same kernel, waiting for no disk, and a bare journal's commit, as large and as rare
    a durable workflow        DBOS on SQLite: a function of its process, its own database and queue
    the whole of it           pydantic-monty, pyeryx, Pyodide in Node, bubblewrap + python3: each as its makers mean it

* Ours and the peer take turns, within one run of the bench and within milliseconds to seconds of each other, so that
  both meet the same machine. What is claimed is the ratio; the times stand beside it to show its scale.
* Medians, never minima; p99 where there are enough samples to have one. Where a figure comes in rounds, each round has
  the mean of its calls on both sides, and the ratio is the median of the rounds' own ratios: a round in which somebody
  else compiled does not count for more. That the two medians beside it give another ratio says that rounds differed.
* The kernel's own clock says when a run was accepted, had its cell, began its first line and ended (`timings_us`).
  That leaves out what the shell does, so the time from asking to the first line, by the asker's clock, stands beside.
* A call is measured from inside the guest, end to end: a program makes N calls, then 2N, and the difference of the two
  runs is N calls, free of what a run costs. Everything is in it: guest, frames, decision, record, server, reply.
* That says nothing of the slowest call in a hundred, and a program has no clock that would: the kernel's is coarse on
  purpose. So there is a capability that is an echo and remembers, by its own clock, when each call reached it. From one
  arrival to the next is one whole round trip, of which each is a sample. The bare echo is timed from call to call.
  The first 20 of each round stand by themselves: with us they are the beginning of a run, in a new cell, which
  elsewhere the difference of N and 2N leaves out; the peer has none. On both sides as many are left out.
* The work of a program: N times over and 2N times over in one sandbox, the difference, in processor time by the
  scheduler's count: of our cell, which waits for a line of input at each mark, and of all processes and threads of the
  peer. The mean over the works is geometric, over those that the peer can do at all.
* The other sandboxes time themselves, in processes of their own, with packages of their own: what it takes to ask them
  is not in their figures, what it takes to ask us is in ours. Nothing of theirs is decided, granted or recorded. Where
  one keeps a process or a sandbox ready, it has one ready, as we have; its first run is not measured, as ours is not.
  What one cannot do, or what is not here, is a row with the reason.
* CPU beside time: what the processes spent on a core (the scheduler's own count) says what a call costs where others
  wait for the same cores. It moves too when they are busy, but less.
* A program is compiled once before anything is timed, its grants are given, its server is up: what is measured is the
  second time a person does something, and all later ones.
* A sample of a start begins when the pool is full again, so that no fork of the refill runs beside it.
* Leaks are differences between two still moments: nothing under way, the pool full, after a warm-up.
* The load of the machine before each part stands with its figures: what others did meanwhile is in them.

Nothing here is a test, and no test has a time in it. tests/scale runs the short form of `many` for what must hold on
any machine: nothing fails and nothing is left behind.
"""
