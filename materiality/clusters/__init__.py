"""Clusters of points on the axes of the matrix, and how stable they are under draws of the scores."""

from materiality.clusters.partitions import (
    gaussian_mixture,
    kmeans,
    mixture_log_likelihood,
    natural_breaks,
    ordered_labels,
    ward,
)
from materiality.clusters.stability import (
    Stability,
    Verdict,
    adjusted_rand,
    co_assignment,
    jaccard,
    matched,
    stability,
    verdict,
)

__all__ = [
    "Stability",
    "Verdict",
    "adjusted_rand",
    "co_assignment",
    "gaussian_mixture",
    "jaccard",
    "kmeans",
    "matched",
    "mixture_log_likelihood",
    "natural_breaks",
    "ordered_labels",
    "stability",
    "verdict",
    "ward",
]
