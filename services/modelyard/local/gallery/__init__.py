"""`make gallery`: the gallery's rows again, each compared with the figure that is published.

It uses nothing but the SDK against an installation in `./.modelyard-gallery`, and may be interrupted anywhere: run
again, it goes on. A row that was done in the last 24 hours with the same code on the same data is not done again.
"""
