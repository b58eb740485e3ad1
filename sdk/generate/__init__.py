"""Makes a module of the SDK from a capability's proto: functions, frozen dataclasses and docstrings, all typed."""
