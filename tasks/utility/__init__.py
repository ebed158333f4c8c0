"""Is what leaves still worth having? Source and written object compared element by element, independently of the de-identifier.

Looking for leftovers is `tasks/scan`; whether a brain kept its volume is judged where faces are (`tasks/deface`).
"""

from tasks.utility.compare import compare_object
from tasks.utility.pairs import StudyPairs

__all__ = ["StudyPairs", "compare_object"]
