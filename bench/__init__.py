"""How long a run and a call take, and what they weigh: measured on the real kernel, told as ratios.

`make bench`, or `python -m bench start call many memory`, with `--quick`, `--json`, `--write`. It makes a home of its
own in the temporary folder, starts a real kernel on it with its walls on and its records on disk, and removes both.

Method
------
A time on its own says more about the machine than about us: on a shared one it doubles from hour to hour. So each of
our figures has a **peer**, something that everyone knows the price of, doing the least that one could do instead:

    start of a run            python3 -c 1, from spawn to wait, with no packages beside it
    start, beside the bone    a zygote, a fork and a socketpair with the same guest: no kernel, no wall, no record
    call of a capability      a bare grpc.aio echo of messages of the same sizes, over a Unix socket
    durable write             temporary file, sync, rename, sync of the folder, straight to the disk
    the kernel's own call     a round trip on a socketpair between two processes
    many runs at once         as many python3 -c 1 at once
    memory of a process       an idle python3

* Ours and the peer take turns, within one run of the bench and within milliseconds to seconds of each other, so that
  both meet the same machine. What is claimed is the ratio; the times stand beside it to show its scale.
* Medians, never minima; p99 where there are enough samples to have one. Where a figure comes in rounds, each round has
  the mean of its calls on both sides, and the ratio is the median of the rounds' own ratios: a round in which somebody
  else compiled does not count for more. That the two medians beside it give another ratio says that rounds differed.
* The kernel's own clock says when a run was accepted, had its cell, began its first line and ended (`timings_us`).
  That leaves out what the shell does, so the time from asking to the first line, by the asker's clock, stands beside.
* A call is measured from inside the guest, end to end: a program makes N calls, then 2N, and the difference of the two
  runs is N calls, free of what a run costs. Everything is in it: guest, frames, decision, record, server, reply.
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
