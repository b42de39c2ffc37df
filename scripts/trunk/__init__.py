"""The way to the carriers: what to ask them, what was tried, who can reach the number."""
