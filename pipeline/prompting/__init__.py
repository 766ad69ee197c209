"""Prompts: templates read from a folder, rendered for seeds.

`Render` is the stage; `check` and `preview` are what `hornbook prompts` prints; `load` and `Template.messages` are for
whoever asks a teacher something else (the judges).
"""

from pipeline.prompting.render import Render, TemplateProblem, check, digest, preview
from pipeline.prompting.template import Template, load, template_digest

__all__ = ["Render", "Template", "TemplateProblem", "check", "digest", "load", "preview", "template_digest"]
