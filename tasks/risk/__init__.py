"""Re-identification risk of the tables: k-anonymity per patient and its companions, in SQL over Arrow (duckdb).

Thresholds are in `tasks/policy/gates.py`; passing or failing is decided in `expectations`. Nothing here relaxes a gate.
"""

from tasks.risk.measures import measure_risk
from tasks.risk.plan import Suppression, plan_suppression

__all__ = ["Suppression", "measure_risk", "plan_suppression"]
