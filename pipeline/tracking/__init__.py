"""SwanLab's records."""
