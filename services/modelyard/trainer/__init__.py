"""The trainer: a worker that dials the scheduler and runs jobs on this machine's accelerators."""
