"""Re-identification risk of the tables: k-anonymity per patient and its companions, in SQL over Arrow (duckdb)."""
