"""Results: what a fit gives back, and everything it can be asked.

Numbers are made by functions, one module for each kind; :class:`PathFit` and :class:`CVFit`
only hold the fields and hand them on. pandas and matplotlib are imported inside functions.
"""

from grpsparse.results.cv_fit import CVFit
from grpsparse.results.path_fit import PathFit
from grpsparse.results.record import Settings, Training
from grpsparse.results.save import load

__all__ = ["CVFit", "PathFit", "Settings", "Training", "load"]
