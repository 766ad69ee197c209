"""Language models and embeddings: by name, by folder or on the hub; loading them, and going on with a text."""
