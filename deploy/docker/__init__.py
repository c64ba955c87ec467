"""What the image holds besides Tocsin. Nothing of the product imports it."""
