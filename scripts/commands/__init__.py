"""The groups of the `hotline` command, one module each."""
