"""What was recorded of calls, and voice messages: sealed, heard, noted on, deleted."""
