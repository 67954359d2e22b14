"""Made-up films, sounds and faces, and the hard negatives made from them."""
