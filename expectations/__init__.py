"""great-expectations suites that judge tables, and the gate that runs them. Computes nothing."""
