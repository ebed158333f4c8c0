"""Is what leaves still worth having? Source and written object compared element by element, independently of the de-identifier.

Looking for leftovers is `tasks/scan`.
"""

from tasks.utility.compare import compare_object
from tasks.utility.deep import changes_deep_inside
from tasks.utility.pairs import StudyPairs

__all__ = ["StudyPairs", "changes_deep_inside", "compare_object"]
