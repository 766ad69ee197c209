"""Seeds: what the teachers are asked for, drawn so that the corpus covers its topics evenly.

`draw` is the stage, `data_digest` what its key needs to know of the data folder.
"""

from pipeline.seeds.curriculum import Curriculum, Note, data_digest, load
from pipeline.seeds.sampling import TaskSource, apportion, draw

__all__ = ["Curriculum", "Note", "TaskSource", "apportion", "data_digest", "draw", "load"]
