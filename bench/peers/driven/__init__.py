"""The other sandboxes: `python -m bench.peers.driven.NAME`, each in an environment of its own, taking orders."""
