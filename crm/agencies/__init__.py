"""Agencies: which there are (`register`), their people, and what they may see of a case."""
