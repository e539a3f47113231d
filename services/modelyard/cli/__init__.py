"""The command line: `modelyard`. Everything that it does goes through the SDK."""
