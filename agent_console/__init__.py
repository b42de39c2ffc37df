"""The web console: agent desk, supervisor's board, accounts, and HTTP for machines."""
