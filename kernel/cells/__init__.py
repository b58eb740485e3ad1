"""Cells: the confined processes in which guests run, and the walls around every process that is not the kernel."""
