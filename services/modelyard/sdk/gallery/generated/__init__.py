"""What generated sets are made with.

Everything here is integer arithmetic with its own formats and its own random numbers, so that the same seed gives the
same bytes on every machine, whatever the versions of its libraries.
"""
