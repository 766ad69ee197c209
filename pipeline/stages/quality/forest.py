"""A random forest as plain arrays: grown by scikit-learn, kept as safetensors, read and applied with numpy alone.

Why not joblib or skops: a joblib file is a pickle, which runs whatever code it holds when it is loaded, so a model that
somebody else made could not be used; skops still needs the scikit-learn version that wrote it. Six arrays hold all that
a fitted tree is, `safetensors` is a dependency already, and a file that is not what it says is an error, never code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError

Array = npt.NDArray[Any]

FORMAT = 1
_ARRAYS = ("roots", "left", "right", "feature", "threshold", "positive")


@dataclass(frozen=True, slots=True)
class Forest:
    """Binary classification trees, one after the other in arrays over all their nodes.

    features: width of an input. roots: (trees,) first node of each. left, right: (nodes,) children, -1 at a leaf.
    feature, threshold: (nodes,) an input goes left where x[feature] <= threshold. positive: (nodes,) weighted share of
    the valuable class, read at leaves.
    """

    features: int
    roots: Array
    left: Array
    right: Array
    feature: Array
    threshold: Array
    positive: Array

    @classmethod
    def of(cls, fitted: Any) -> "Forest":
        """The trees of a fitted `RandomForestClassifier` with the classes (False, True)."""
        trees = [estimator.tree_ for estimator in fitted.estimators_]
        sizes = [tree.node_count for tree in trees]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

        def children(name: str) -> Array:
            parts = [
                np.where(getattr(tree, name) < 0, -1, getattr(tree, name) + start)
                for tree, start in zip(trees, starts, strict=True)
            ]
            return np.concatenate(parts).astype(np.int32)

        values = np.concatenate([tree.value[:, 0, :] for tree in trees])
        return cls(
            features=int(fitted.n_features_in_),
            roots=starts.astype(np.int32),
            left=children("children_left"),
            right=children("children_right"),
            feature=np.concatenate([tree.feature for tree in trees]).astype(np.int32),
            threshold=np.concatenate([tree.threshold for tree in trees]).astype(np.float64),
            positive=(values[:, 1] / values.sum(1)).astype(np.float64),
        )

    def probabilities(self, inputs: Array) -> Array:
        """(documents,) float64: the mean over the trees of the valuable share at the leaf that each input reaches."""
        x = np.ascontiguousarray(inputs, dtype=np.float32)
        rows = np.arange(len(x))
        total = np.zeros(len(x), dtype=np.float64)
        for root in self.roots:
            node = np.full(len(x), root, dtype=np.int32)
            inner = self.left[node] >= 0
            while inner.any():
                at, row = node[inner], rows[inner]
                goes_left = x[row, self.feature[at]] <= self.threshold[at]
                node[inner] = np.where(goes_left, self.left[at], self.right[at])
                inner = self.left[node] >= 0
            total += self.positive[node]
        return total / len(self.roots)

    def save(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write one safetensors file; about: JSON values that travel in its header."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        header = {"format": f"hornbook-forest-{FORMAT}", "features": str(self.features), "about": json.dumps(about)}
        save_file(arrays, str(path), metadata=header)

    @classmethod
    def load(cls, path: Path) -> tuple["Forest", dict[str, Any]]:
        """The forest in `path` and what `save` was told about it. Raises InputError for anything else."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="numpy") as file:
                header = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in _ARRAYS if name in file.keys()}  # noqa: SIM118
            wanted = f"hornbook-forest-{FORMAT}"
            if header.get("format") != wanted:
                raise ValueError(f"its format is {header.get('format')!r}, wanted {wanted!r}")
            forest = cls(features=int(header["features"]), **arrays)
            forest._check()
            return forest, dict(json.loads(header["about"]))
        except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{path} is not a value model: {error}", hint="name a folder that a run with quality.classifier wrote"
            ) from error

    def _check(self) -> None:
        """Every walk ends: children come after their parents and lie inside, features exist."""
        nodes, places = len(self.left), np.arange(len(self.left))
        inner = self.left >= 0
        same = all(len(a) == nodes for a in (self.right, self.feature, self.threshold, self.positive))
        if not (same and len(self.roots) and ((self.roots >= 0) & (self.roots < nodes)).all()):
            raise ValueError("its arrays do not fit together")
        for child in (self.left[inner], self.right[inner]):
            if not ((child > places[inner]) & (child < nodes)).all():
                raise ValueError("a node's child is not after it")
        if not ((self.feature[inner] >= 0) & (self.feature[inner] < self.features)).all():
            raise ValueError("a node asks for a feature that is not there")
