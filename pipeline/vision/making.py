"""What the maker of a stage over images needs, as a type."""

from pipeline.recipe_images import ImageRecipe
from pipeline.stages.making import MakingOf

ImageMaking = MakingOf[ImageRecipe]
