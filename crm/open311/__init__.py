"""Open311 GeoReport v2: cases as the requests of a public register, and a client of others'."""
