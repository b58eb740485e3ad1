"""The commands, by theme. Each returns its exit code; each module is loaded when one of its commands is called."""
