"""The packages that modelyard ships, a folder each; `modelyard.templates.specs` reads them."""
