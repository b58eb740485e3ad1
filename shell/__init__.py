"""The person's side: a command line that speaks the kernel's control service and nothing else."""
