"""What a job may do next and which worker gets it: pure, without I/O and without a clock."""
