"""The net capability: its parts by themselves, and attacks through guests in cells."""
