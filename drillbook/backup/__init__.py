"""Any backup as tables and rows: located, fetched, unpacked, read, judged, restored."""
