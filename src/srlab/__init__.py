"""srlab: does this change make a super-resolution network better?"""

from importlib.metadata import version

__version__ = version("srlab")
