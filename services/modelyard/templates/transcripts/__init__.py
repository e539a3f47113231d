"""What templates that write down what they see or hear share: alphabet, CTC, and which examples can be learnt."""
