"""Reports: the daily one at 17:00, and those over a period."""
