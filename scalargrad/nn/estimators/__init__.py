"""Estimators: what `scalargrad.sklearn` shows, a perceptron with scikit-learn's parameters, attributes and results."""
