"""Projects, tokens, datasets, models, files, uploads and lineage; the only holder of the object store's credentials."""
