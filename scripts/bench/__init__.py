"""Programs that measure: each prints its figures beside what they are compared with."""
