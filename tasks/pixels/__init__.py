"""Text burned into pixels: decode, find, blank, look again (PS3.15 E.3.1, option 113101).

Faces do not belong here (`tasks/deface`), nor does what an object declares about its pixels (`tasks/deidentify`).
"""

from tasks.pixels.again import look_again
from tasks.pixels.clean import clean_text
from tasks.pixels.start import start_engine

__all__ = ["clean_text", "look_again", "start_engine"]
