"""Who calls and writes: numbers, and what is known of whoever has one."""
