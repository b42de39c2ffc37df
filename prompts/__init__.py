"""All that is said to callers: the catalogue, the number speller, the voices and the builder."""
