"""The checks that are taken out, by where they stand."""
