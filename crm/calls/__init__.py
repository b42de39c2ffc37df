"""Calls: from the journal's facts to one row a call (`record`), and what is owed to callers."""
