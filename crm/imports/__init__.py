"""Tables of data in and out as files: CSV and XLSX."""
