"""Labels become examples here and nowhere else; a dataset is a frozen set of them."""
