"""Networks of Values as scikit-learn's estimators: its parameter names and conventions, this engine behind them.

They inherit from scikit-learn's classes and lie in nn/estimators, which imports it at its top.
"""

from scalargrad.nn.estimators.classifier import MLPClassifier
from scalargrad.nn.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
