"""Personal data: who may look at it, why, and for how long (Law 91/2025, Decree 356/2025)."""
