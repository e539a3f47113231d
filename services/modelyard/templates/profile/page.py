"""page.html: what is in a dataset version, on one page that needs nothing else."""

from modelyard.job.index import Index
from modelyard.templates.profile.profiling import Profile


def render(index: Index, found: Profile) -> str:
    return ""
