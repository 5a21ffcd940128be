"""Entry layer: arguments are resolved and checked here, then handed down."""

from grpsparse.api.verbs import fit, fit_cv, fit_replicates

__all__ = ["fit", "fit_cv", "fit_replicates"]
