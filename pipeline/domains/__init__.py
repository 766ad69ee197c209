"""Domains: what a corpus is about, as a folder of data. `prompts/README.md` is the format."""
