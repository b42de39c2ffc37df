"""The API of programs: /api/v1 as its OpenAPI document describes it, and Open311 GeoReport v2."""
