"""What starts programs while nobody is there: schedules, the queue of events, and who gets which.

Nothing here reaches the disk, the clock or a cell by itself: the kernel hands it records and powers.
"""
