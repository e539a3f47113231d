"""How near a text is to the one that it should be: BLEU, chrF, ROUGE. No TensorFlow."""
