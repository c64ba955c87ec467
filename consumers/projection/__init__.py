"""The status projection: the fold of a page's facts, published as pictures that renderers and the API share."""
