"""Code that is not trusted runs in here: see policy for what is asked, confined for how it is run."""
