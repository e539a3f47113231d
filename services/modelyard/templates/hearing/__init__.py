"""What templates that learn from sounds share: lengths, spectra and signatures."""
