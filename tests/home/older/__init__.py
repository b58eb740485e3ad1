"""Homes that older versions of Agent OS made, each by its own code: `make` says how."""
