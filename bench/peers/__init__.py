"""What we compare ourselves with: the least that one could do instead."""
